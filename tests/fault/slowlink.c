/* slowlink.c - a network cable that takes its time: joins a TAP device in another network namespace
 * with one in ours, and carries the frames between them after a delay.
 *
 *     fault_slowlink NAMESPACE_FILE DEVICE OUR_DEVICE DELAY_MS JITTER_MS
 *
 * The delay is one-way, the same in both directions; frames of one direction stay in order. At most
 * FRAMES_MAX are under way in each direction, what comes beyond is dropped, as by a full router.
 * Says "ready" on stdout once both devices are there; a line "DELAY_MS JITTER_MS" on stdin changes
 * the delay of the frames that follow; ends at the end of stdin. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define FRAMES_MAX 4096
#define IDLE_MS 1000

struct frame {
    int64_t due_us;
    size_t size;
    unsigned char bytes[FRAME_MAX];
};

/* One direction: a ring of frames under way, the first to arrive at `head`. */
struct way {
    struct frame *frames;
    size_t head, count;
};

static int64_t now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* A TAP device of that name in the namespace this process is in. -1 with errno set on failure. */
static int open_tap(const char *device)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -1;
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    (void)snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

/* The same in the namespace of `file`; comes back to `home`. */
static int open_tap_there(const char *file, const char *device, int home)
{
    int there = open(file, O_RDONLY | O_CLOEXEC);
    if (there < 0)
        return -1;
    int fd = setns(there, CLONE_NEWNET) == 0 ? open_tap(device) : -1;
    (void)close(there);
    return setns(home, CLONE_NEWNET) == 0 ? fd : -1;
}

/* Take what has come in at `fd`. */
static void take(struct way *way, int fd, int64_t delay_us, int64_t jitter_us)
{
    unsigned char surplus[FRAME_MAX];
    for (;;) {
        struct frame *frame = NULL;
        if (way->count < FRAMES_MAX)
            frame = &way->frames[(way->head + way->count) % FRAMES_MAX];
        ssize_t got = read(fd, frame ? frame->bytes : surplus, FRAME_MAX);
        if (got <= 0)
            return;
        if (!frame)
            continue;
        int64_t due = now_us() + delay_us + (jitter_us > 0 ? random() % (jitter_us + 1) : 0);
        if (way->count > 0) {
            const struct frame *last = &way->frames[(way->head + way->count - 1) % FRAMES_MAX];
            due = due < last->due_us ? last->due_us : due; /* in order */
        }
        frame->due_us = due;
        frame->size = (size_t)got;
        way->count++;
    }
}

/* Hand over what is due. Returns when the next frame is, or IDLE_MS from now. */
static int64_t deliver(struct way *way, int fd)
{
    int64_t now = now_us();
    while (way->count > 0 && way->frames[way->head].due_us <= now) {
        const struct frame *frame = &way->frames[way->head];
        ssize_t sent = write(fd, frame->bytes, frame->size);
        (void)sent; /* a device that is down drops it, as cables do */
        way->head = (way->head + 1) % FRAMES_MAX;
        way->count--;
    }
    return way->count > 0 ? way->frames[way->head].due_us : now + (int64_t)IDLE_MS * 1000;
}

static int carry(int there, int here, long delay_ms, long jitter_ms)
{
    struct way in = {.frames = calloc(FRAMES_MAX, sizeof(struct frame))};
    struct way out = {.frames = calloc(FRAMES_MAX, sizeof(struct frame))};
    if (!in.frames || !out.frames)
        return 1;
    for (;;) {
        int64_t next_in = deliver(&in, here), next_out = deliver(&out, there);
        int64_t wait_us = (next_in < next_out ? next_in : next_out) - now_us();
        wait_us = wait_us < 0 ? 0 : wait_us;
        struct timespec wait = {.tv_sec = wait_us / 1000000, .tv_nsec = wait_us % 1000000 * 1000};
        struct pollfd fds[] = {{there, POLLIN, 0}, {here, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        if (ppoll(fds, 3, &wait, NULL) < 0 && errno != EINTR)
            return 1;
        take(&in, there, delay_ms * 1000, jitter_ms * 1000);
        take(&out, here, delay_ms * 1000, jitter_ms * 1000);
        if (fds[2].revents) {
            char line[64];
            ssize_t got = read(STDIN_FILENO, line, sizeof line - 1);
            if (got <= 0)
                return 0;
            line[got] = '\0';
            char *rest;
            delay_ms = strtol(line, &rest, 10);
            jitter_ms = strtol(rest, NULL, 10);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr,
                "usage: fault_slowlink NAMESPACE_FILE DEVICE OUR_DEVICE DELAY_MS JITTER_MS\n");
        return 2;
    }
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = home < 0 ? -1 : open_tap_there(argv[1], argv[2], home);
    int here = there < 0 ? -1 : open_tap(argv[3]);
    if (here < 0) {
        perror("fault_slowlink: TAP");
        return 1;
    }
    printf("ready\n");
    (void)fflush(stdout);
    return carry(there, here, strtol(argv[4], NULL, 10), strtol(argv[5], NULL, 10));
}
