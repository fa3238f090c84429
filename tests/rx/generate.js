// generate.js - makes conformance cases for rx-vectors: random marbles and arguments, played through RxJS.
//
//   npm install rxjs@7.8.1 && node tests/rx/generate.js SEED COUNT [OPERATOR,...] > cases.jsonl
//
// Nothing of berth needs this to build or to be tested: cases.jsonl is kept in the tree.
const rxjs = require('rxjs');
const operators = require('rxjs/operators');
const { TestScheduler } = require('rxjs/testing');

let state = Number(process.argv[2] || 1);
function random() {
  state = (state * 1103515245 + 12345) & 0x7fffffff;
  return (state >> 8) / 0x800000;
}
const between = (a, b) => a + Math.floor(random() * (b - a + 1));
const pick = (list) => list[Math.floor(random() * list.length)];
const chance = (p) => random() < p;
const many = (n, make) => Array.from({ length: n }, make);

function marble(hot, longest) {
  let text = '';
  let zero = false;
  for (let n = between(0, longest); n > 0; n--) {
    const r = random();
    if (hot && !zero && r < 0.06) {
      text += '^';
      zero = true;
    } else if (r < 0.55) {
      text += '-';
    } else if (r < 0.92) {
      text += pick('abcde');
    } else {
      const group = many(between(1, 3), () => pick('abcde')).join('');
      if (chance(0.3)) return `${text}(${group}${pick('|#')})`;
      text += `(${group})`;
    }
  }
  const end = random();
  return (text + (end < 0.5 ? '|' : end < 0.72 ? '#' : '')) || '-';
}

function toJson(value) {
  if (value === undefined) return { $undef: 1 };
  if (value === Infinity) return { $num: 'Infinity' };
  if (value instanceof Error) return { $error: value.name, message: value.message };
  return Array.isArray(value) ? value.map(toJson) : value;
}

function event({ frame, notification: n }) {
  return n.kind === 'N' ? [frame, 'N', toJson(n.value)] : n.kind === 'E' ? [frame, 'E', toJson(n.error)] : [frame, 'C'];
}

// What a case is made of: inputs, arrays in their place, functions that note what they were asked.
class World {
  constructor({ hot, cold }) {
    Object.assign(this, { hot, cold, inputs: {}, streams: {}, fns: {}, arrays: 0 });
  }
  input(kind = pick(['hot', 'cold']), longest = 18) {
    const name = `n${Object.keys(this.inputs).length + 1}`;
    const text = marble(kind === 'hot', longest);
    const stream = this[kind](text);
    this.streams[name] = stream;
    this.inputs[name] = { kind, marble: text, events: stream.messages.map(event) };
    return { stream, json: { $ref: name }, name };
  }
  any(kind, longest) {
    if (chance(0.8)) return this.input(kind, longest);
    const array = many(between(0, 3), () => pick('pqr'));
    return { stream: array, json: array, name: null };
  }
  fn(body) {
    const name = `f${Object.keys(this.fns).length + 1}`;
    const rows = (this.fns[name] = []);
    const note = (args, outcome) => {
      const key = JSON.stringify(args);
      if (!rows.some((row) => JSON.stringify(row[0]) === key)) rows.push([args, outcome]);
    };
    const call = (...given) => {
      const args = given.filter((g) => !rxjs.isObservable(g)).map(toJson);
      try {
        const ret = body(...given);
        const known = Object.keys(this.streams).find((n) => this.streams[n] === ret);
        note(args, { ret: known ? { $ref: known } : toJson(ret) });
        return ret;
      } catch (thrown) {
        note(args, { throw: toJson(thrown) });
        throw thrown;
      }
    };
    return { call, json: { $fn: name } };
  }
  predicate() {
    const limit = pick('abcde');
    const bad = pick('xxxxxcd');
    return this.fn((v, i) => {
      if (v === bad) throw 'bad';
      return v < limit || i % 4 === 1;
    });
  }
  fold() {
    const bad = pick('xxxxxxb');
    return this.fn((sum, v) => {
      if (v === bad) throw 'bad';
      return String(sum) + v;
    });
  }
  flat() {
    const inner = many(between(1, 3), () => this.any(pick(['cold', 'cold', 'hot']), 10).stream);
    const bad = pick('xxxxxxd');
    return this.fn((v) => {
      if (v === bad) throw 'bad';
      return inner[v.charCodeAt(0) % inner.length];
    });
  }
  join() {
    return this.fn((...values) => {
      if (values[0] === 'e') throw 'bad';
      return values.join('');
    });
  }
  notifier() {
    const { stream } = this.any('cold', 6);
    return this.fn(() => stream);
  }
}

// An operator on one source: how its arguments are drawn. Each returns [arguments, arguments as JSON].
const same = (...args) => [args, args];
const withFn = (f, ...more) => [[f.call, ...more], [f.json, ...more]];
const again = (w) => {
  if (chance(0.3)) return same(between(-1, 3));
  const config = { count: between(0, 3) };
  const json = { ...config };
  if (chance(0.4)) config.delay = json.delay = between(0, 4);
  else if (chance(0.5)) {
    const f = w.notifier();
    config.delay = f.call;
    json.delay = f.json;
  }
  return [[config], [json]];
};
const flat = (w) => withFn(w.flat());
const seeded = (w) => (chance(0.5) ? withFn(w.fold()) : withFn(w.fold(), 'z'));
const other = (w) => {
  const o = w.any();
  return [[o.stream], [o.json]];
};
const pipes = {
  auditTime: () => same(between(0, 6)),
  bufferCount: () => (chance(0.5) ? same(between(1, 4)) : same(between(1, 4), between(1, 4))),
  bufferTime: () =>
    pick([
      () => same(between(1, 8)),
      () => same(between(1, 8), null, between(1, 3)),
      () => same(between(1, 8), between(1, 8)),
      () => same(between(1, 8), between(1, 8), between(1, 3)),
    ])(),
  catchError: (w) => withFn(w.notifier()),
  concatMap: flat,
  count: (w) => (chance(0.4) ? same() : withFn(w.predicate())),
  debounceTime: () => same(between(0, 6)),
  delay: () => same(between(0, 6)),
  distinctUntilChanged: (w) => {
    if (chance(0.4)) return same();
    const equal = w.fn((a, b) => a <= b);
    if (chance(0.5)) return withFn(equal);
    const key = w.fn((v) => (v < 'c' ? 'lo' : 'hi'));
    return [
      [undefined, key.call],
      [{ $undef: 1 }, key.json],
    ];
  },
  exhaustMap: flat,
  filter: (w) => withFn(w.predicate()),
  map: (w) => withFn(w.fn((v, i) => v + String(i % 3))),
  mergeMap: (w) => {
    if (chance(0.5)) return withFn(w.flat(), between(1, 3));
    if (chance(0.7)) return flat(w);
    const f = w.flat();
    const select = w.fn((...four) => four.join(''));
    return [
      [f.call, select.call],
      [f.json, select.json],
    ];
  },
  pairwise: () => same(),
  reduce: seeded,
  repeat: again,
  retry: (w) => {
    const [args, json] = again(w);
    if (typeof args[0] === 'object' && chance(0.3)) args[0].resetOnSuccess = json[0].resetOnSuccess = true;
    return [args, json];
  },
  sample: other,
  sampleTime: () => same(between(1, 6)),
  scan: seeded,
  share: (w) => {
    const config = {};
    const json = {};
    for (const key of ['resetOnError', 'resetOnComplete', 'resetOnRefCountZero']) {
      const r = random();
      if (r < 0.3) {
        config[key] = json[key] = chance(0.5);
      } else if (r < 0.5) {
        const f = w.notifier();
        config[key] = f.call;
        json[key] = f.json;
      }
    }
    return [[config], [json]];
  },
  shareReplay: () =>
    chance(0.5)
      ? same(between(1, 3))
      : same({ bufferSize: between(1, 3), windowTime: between(1, 9), refCount: chance(0.5) }),
  skip: () => same(between(-1, 4)),
  startWith: () => same(...many(between(0, 3), () => pick('xyz'))),
  switchMap: flat,
  take: () => same(between(-1, 4)),
  takeUntil: other,
  takeWhile: (w) => withFn(w.predicate(), chance(0.5)),
  throttleTime: (w, scheduler) => {
    const config = { leading: chance(0.6), trailing: chance(0.6) };
    const ms = between(1, 7);
    return [
      [ms, scheduler, config],
      [ms, { $sched: 'virtual' }, config],
    ];
  },
  timeout: (w) => {
    if (chance(0.3)) return same(between(1, 8));
    const config = chance(0.7) ? { each: between(1, 8) } : { first: between(1, 10) };
    if (chance(0.3)) config.first = between(1, 10);
    const json = { ...config };
    if (chance(0.6)) {
      const f = w.notifier();
      config.with = f.call;
      json.with = f.json;
    }
    return [[config], [json]];
  },
  toArray: () => same(),
  withLatestFrom: (w) => {
    const others = many(between(1, 3), () => w.any());
    const project = chance(0.4) ? [w.join()] : [];
    return [
      [...others.map((o) => o.stream), ...project.map((f) => f.call)],
      [...others.map((o) => o.json), ...project.map((f) => f.json)],
    ];
  },
};

// Operators that make a stream.
const joined = (name, w, last) => {
  const inputs = many(between(1, 4), () => w.any(undefined, 12));
  return {
    stream: rxjs[name](...inputs.map((i) => i.stream), ...last.map((l) => l.call ?? l)),
    json: [...inputs.map((i) => i.json), ...last.map((l) => l.json ?? l)],
  };
};
const makers = {
  combineLatest: (w) => joined('combineLatest', w, chance(0.4) ? [w.join()] : []),
  concat: (w) => joined('concat', w, []),
  merge: (w) => joined('merge', w, chance(0.4) ? [between(1, 3)] : []),
  timer: () => {
    const due = between(0, 8);
    return { stream: rxjs.timer(due), json: [due] };
  },
  zip: (w) => joined('zip', w, chance(0.4) ? [w.join()] : []),
};

const endless = ['sampleTime', 'bufferTime', 'retry', 'repeat']; // these must be unsubscribed from

function makeCase(op, id) {
  const scheduler = new TestScheduler(() => {});
  return scheduler.run((helpers) => {
    const w = new World(helpers);
    let src = null;
    let made;
    if (makers[op]) {
      made = makers[op](w);
    } else {
      const source = w.input(['retry', 'repeat'].includes(op) ? 'cold' : undefined);
      const [args, json] = pipes[op](w, scheduler);
      src = source.name;
      made = { stream: source.stream.pipe(operators[op](...args)), json };
    }
    const unsub = endless.includes(op) ? between(5, 40) : chance(0.2) ? between(0, 40) : null;
    const expected = [];
    const note = (...what) => expected.push([scheduler.frame, ...what]);
    let subscription;
    scheduler.schedule(() => {
      subscription = made.stream.subscribe({
        next: (v) => note('N', toJson(v)),
        error: (e) => note('E', toJson(e)),
        complete: () => note('C'),
      });
    }, 0);
    if (unsub !== null) scheduler.schedule(() => subscription.unsubscribe(), unsub);
    helpers.flush();
    const subs = {};
    for (const [name, stream] of Object.entries(w.streams)) {
      subs[name] = stream.subscriptions.map((s) => [
        s.subscribedFrame,
        s.unsubscribedFrame === Infinity ? null : s.unsubscribedFrame,
      ]);
    }
    const title = `${op} / random marbles`;
    return { id, title, op, args: made.json, src, inputs: w.inputs, expected, unsub, subs, fns: w.fns };
  });
}

const all = [...Object.keys(pipes), ...Object.keys(makers)].sort();
const chosen = process.argv[4] ? process.argv[4].split(',') : all;
const count = Number(process.argv[3] || 100);
for (let i = 0; i < count; i++) {
  const op = chosen[i % chosen.length];
  try {
    console.log(JSON.stringify(makeCase(op, `${op}-r${i}`)));
  } catch (broken) {
    console.error(`${op}-r${i}: ${broken}`); // RxJS's own scheduler does not take all marbles
  }
}
