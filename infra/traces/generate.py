#!/usr/bin/env python3
"""Write the demand traces of this folder: the same files each time.

    infra/traces/generate.py [DIRECTORY]

day_curve        two days: 200 players at 5 in the morning, 2,000 at 9 in the evening; the second day 5 % busier
event_spike      200 players; at 1:00 ten times as many within one minute, for 90 minutes, then back within half an hour
slow_leak        300 players who become 1,200 in twelve hours: sessions that do not end
mass_disconnect  1,500 players; at 1:00 four of five are gone within ten seconds, and back after four minutes, in six

Every value has the noise of independent people: normal, of variance a tenth of the number (most stay from one second to the next).
"""
import math
import os
import random
import sys


def write(directory, name, about, seconds, step, players):
    rng = random.Random(name)
    rows = []
    for second in range(0, seconds + 1, step):
        mean = players(second)
        rows.append(f"{second},{max(0, round(mean + rng.gauss(0, math.sqrt(mean / 10))))}")
    with open(os.path.join(directory, name + ".csv"), "w", encoding="ascii") as out:
        out.write(f"# {about}; made by infra/traces/generate.py\nsecond,players\n" + "\n".join(rows) + "\n")


def ramp(second, points):
    """Straight lines between (second, players)."""
    for (s0, p0), (s1, p1) in zip(points, points[1:]):
        if second <= s1:
            return p0 + (p1 - p0) * (second - s0) / (s1 - s0)
    return points[-1][1]


def day(second):
    hour = second / 3600 % 24
    wave = (1 - math.cos((hour - 5) / 16 * math.pi)) / 2 if 5 <= hour <= 21 else (1 + math.cos((hour - 21) % 24 / 8 * math.pi)) / 2
    return (200 + 1800 * wave) * (1.05 if second >= 86400 else 1)


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    spike = [(0, 200), (3600, 200), (3660, 2000), (9060, 2000), (10860, 200), (14400, 200)]
    drop = [(0, 1500), (3600, 1500), (3610, 300), (3850, 300), (4210, 1500), (14400, 1500)]
    leak = [(0, 300), (43200, 1200)]
    write(directory, "day_curve", "two days, 200 to 2000 players", 2 * 86400, 120, day)
    write(directory, "event_spike", "200 players, 2000 within a minute", 14400, 10, lambda s: ramp(s, spike))
    write(directory, "slow_leak", "300 players who become 1200", 43200, 60, lambda s: ramp(s, leak))
    write(directory, "mass_disconnect", "1500 players, 300 within ten seconds, back", 14400, 10, lambda s: ramp(s, drop))


if __name__ == "__main__":
    main()
