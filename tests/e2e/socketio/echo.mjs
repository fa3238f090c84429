// echo.mjs PORT - an unmodified socket.io-client against `berth-gamenode --echo`.
import assert from "node:assert/strict";
import { client, heard, run, sleep, test } from "./kit.mjs";

const url = `http://127.0.0.1:${process.argv[2]}`;
const maxPayload = 100000; // as the script started the server
const ways = { websocket: { transports: ["websocket"] }, polling: { transports: ["polling"] }, upgrade: {} };

const connected = async (socket) => {
  await heard(socket, "connect");
  return socket;
};

for (const [way, options] of Object.entries(ways)) {
  test(`${way}: connects, is told its auth, speaks and hears`, async () => {
    const socket = client(url, { ...options, auth: { token: "a/b", n: [1, { x: null }] } });
    const auth = heard(socket, "auth");
    await connected(socket);
    assert.deepEqual(await auth, [{ token: "a/b", n: [1, { x: null }] }]);
    socket.emit("message", 1, "zwei", { drei: [true, "\u{1F600}\u001e\n"] });
    assert.deepEqual(await heard(socket, "message-back"), [1, "zwei", { drei: [true, "\u{1F600}\u001e\n"] }]);
  });

  test(`${way}: binary attachments there and back, small, empty and large`, async () => {
    const socket = await connected(client(url, options));
    const large = Buffer.alloc(60000, 7);
    socket.emit("message", Buffer.from([0, 1, 254, 255]), { inside: [Buffer.alloc(0), "text"] }, large);
    const [a, b, c] = await heard(socket, "message-back");
    assert.deepEqual(Buffer.from(a), Buffer.from([0, 1, 254, 255]));
    assert.equal(b.inside[0].length ?? b.inside[0].byteLength, 0);
    assert.equal(b.inside[1], "text");
    assert.deepEqual(Buffer.from(c), large);
  });

  test(`${way}: acknowledgements both ways, with and without attachments`, async () => {
    const socket = await connected(client(url, options));
    assert.equal(await socket.emitWithAck("message-with-ack", 42), 42);
    assert.deepEqual(Buffer.from(await socket.emitWithAck("message-with-ack", Buffer.from("bin"))), Buffer.from("bin"));
    socket.on("call", (text, answer) => answer(`${text} back`, Buffer.from("B")));
    socket.emit("call-me", "there and");
    const [text, bin] = await heard(socket, "called");
    assert.equal(text, "there and back");
    assert.deepEqual(Buffer.from(bin), Buffer.from("B"));
  });

  test(`${way}: 200 events arrive all, in order`, async () => {
    const socket = await connected(client(url, options));
    const got = [];
    const all = new Promise((resolve) => socket.on("message-back", (n) => got.push(n) === 200 && resolve()));
    for (let i = 0; i < 200; i++) {
      socket.emit("message", i);
      if (i % 20 === 0) await sleep(2); // also while it upgrades
    }
    await all;
    assert.deepEqual(got, [...Array(200).keys()]);
  });

  test(`${way}: heartbeats keep it for longer than interval and timeout`, async () => {
    const socket = await connected(client(url, options));
    await sleep(1100);
    assert.equal(socket.connected, true);
  });
}

test("a client that polls first ends up on WebSocket", async () => {
  const socket = client(url);
  await connected(socket);
  if (socket.io.engine.transport.name !== "websocket") await heard(socket.io.engine, "upgrade");
  assert.equal(socket.io.engine.transport.name, "websocket");
  assert.equal(await socket.emitWithAck("message-with-ack", "after"), "after");
});

test("namespaces: /custom beside / on one connection; an unknown one is refused", async () => {
  const main = client(url);
  const custom = main.io.socket("/custom", { auth: { who: "c" } });
  custom.connect();
  const auth = heard(custom, "auth");
  await Promise.all([heard(main, "connect"), heard(custom, "connect")]);
  assert.deepEqual(await auth, [{ who: "c" }]);
  custom.emit("message", "for custom");
  assert.deepEqual(await heard(custom, "message-back"), ["for custom"]);
  custom.disconnect();
  assert.equal(await main.emitWithAck("message-with-ack", "still here"), "still here");
  const nowhere = main.io.socket("/nowhere");
  nowhere.connect();
  assert.equal((await heard(nowhere, "connect_error"))[0].message, "Invalid namespace");
  assert.equal(main.connected, true);
});

test("a broken connection comes back by itself, with a new session", async () => {
  const socket = client(url, { reconnection: true, reconnectionDelay: 50 });
  await connected(socket);
  const before = socket.id;
  const lost = heard(socket, "disconnect");
  socket.io.engine.close();
  await lost;
  await connected(socket);
  assert.notEqual(socket.id, before);
  assert.equal(await socket.emitWithAck("message-with-ack", 1), 1);
});

for (const [way, options] of Object.entries({ websocket: ways.websocket, polling: ways.polling }))
  test(`${way}: a message over the limit ends the connection, others go on`, async () => {
    const [other, socket] = await Promise.all([connected(client(url)), connected(client(url, options))]);
    const lost = heard(socket, "disconnect");
    socket.emit("message", "x".repeat(maxPayload + 1));
    assert.match((await lost)[0], /transport (close|error)/);
    assert.equal(await other.emitWithAck("message-with-ack", 2), 2);
  });

test("what is wrong is refused with the protocol's numbers; browsers may read it", async () => {
  const ask = async (query, options) => {
    const answer = await fetch(`${url}/socket.io/?${query}`, options);
    assert.equal(answer.headers.get("access-control-allow-origin"), "*");
    return [answer.status, await answer.json()];
  };
  assert.deepEqual(await ask("EIO=4&transport=udp"), [400, { code: 0, message: "Transport unknown" }]);
  assert.deepEqual(await ask("EIO=4&transport=polling&sid=none"), [400, { code: 1, message: "Session ID unknown" }]);
  assert.deepEqual(await ask("EIO=4&transport=polling", { method: "POST" }), [400, { code: 2, message: "Bad handshake method" }]);
  assert.deepEqual(await ask("EIO=4&transport=websocket"), [400, { code: 3, message: "Bad request" }]);
  assert.deepEqual(await ask("EIO=3&transport=polling"), [400, { code: 5, message: "Unsupported protocol version" }]);
  const preflight = await fetch(`${url}/socket.io/?EIO=4&transport=polling`, { method: "OPTIONS" });
  assert.equal(preflight.status, 204);
  assert.match(preflight.headers.get("access-control-allow-methods"), /POST/);
});

await run();
