// kit.mjs - what the tests with socket.io-client share: cases with a deadline, waiting, a verdict.
import { io } from "socket.io-client";

const cases = [];
export const test = (name, fn) => cases.push({ name, fn });

const open = new Set();
/** A client of its own connection; ended with its test. */
export function client(url, options = {}) {
  const socket = io(url, { forceNew: true, reconnection: false, timeout: 5000, ...options });
  open.add(socket);
  return socket;
}

/** The arguments of the next such event. */
export const heard = (socket, event) => new Promise((resolve) => socket.once(event, (...args) => resolve(args)));

/** The arguments of the next such event for which the test is true. */
export const heardWith = (socket, event, ok) =>
  new Promise((resolve) => {
    const listen = (...args) => {
      if (!ok(...args)) return;
      socket.off(event, listen);
      resolve(args);
    };
    socket.on(event, listen);
  });

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Ask again until the answer is true. */
export async function until(what, ask) {
  for (const end = Date.now() + 5000; !(await ask()); await sleep(20)) if (Date.now() > end) throw new Error(`not in 5 s: ${what}`);
}

/** A number of the node's /metrics. */
export async function metric(url, name) {
  const text = await (await fetch(`${url}/metrics`)).text();
  const line = text.split("\n").find((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `));
  return Number(line?.split(" ").pop());
}

export async function run() {
  let failed = 0;
  for (const { name, fn } of cases) {
    let timer;
    const limit = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("not done in 10 s")), 10000);
    });
    try {
      await Promise.race([fn(), limit]);
      console.log(`ok: ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED: ${name}: ${error.stack}`);
    }
    clearTimeout(timer);
    for (const socket of open) socket.disconnect();
    open.clear();
  }
  process.exit(failed ? 1 : 0);
}
