// nodes.mjs GAME LOBBY SECRET - socket.io-client and plain WebSocket on a game node (with tickets) and a lobby node (without).
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import WebSocket from "ws";
import { client, heard, heardWith, metric, run, test, until } from "./kit.mjs";

const [game, lobby] = process.argv.slice(2, 4).map((port) => `http://127.0.0.1:${port}`);
const secret = process.argv[4];
const ways = { websocket: { transports: ["websocket"] }, polling: { transports: ["polling"] }, upgrade: {} };
const conns = (url) => metric(url, "berth_node_connections");
const handshaking = (url) => metric(url, "berth_node_handshaking");

let serial = 0;
async function ticket(player, room, change = {}) {
  const { node, pool, epoch } = await (await fetch(`${game}/healthz`)).json();
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: "lb-test", ie: 1, aud: node, ne: epoch, pool, room, sub: player, iat: now, exp: now + 60, jti: `t${serial++}`, ...change };
  const part = (o) => Buffer.from(JSON.stringify(o)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT", kid: "e2e" })}.${part(claims)}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

async function plainJoin(player, room) {
  const ws = new WebSocket(`${game.replace("http", "ws")}/ws`);
  ws.inbox = [];
  ws.hear = (type) =>
    until(`${type} for ${player}`, () => ws.inbox.some((m) => m.type === type)).then(() => ws.inbox.splice(ws.inbox.findIndex((m) => m.type === type), 1)[0]);
  ws.on("message", (text) => ws.inbox.push(JSON.parse(text)));
  await new Promise((resolve) => ws.on("open", resolve));
  ws.send(JSON.stringify({ type: "join", room, player, ticket: await ticket(player, room) }));
  await ws.hear("joined");
  return ws;
}

for (const [way, options] of Object.entries(ways))
  test(`${way}: joins by event, plays with a plain WebSocket, is counted as one`, async () => {
    const room = `r-${way}`;
    const base = await conns(game);
    const bob = await plainJoin("bob", room);
    const ann = client(game, options);
    await heard(ann, "connect");
    assert.equal(await handshaking(game), 1);
    const joined = heard(ann, "joined");
    const answer = await ann.emitWithAck("join", { room, player: "ann", ticket: await ticket("ann", room) });
    const [{ node, ...seat }] = await joined;
    assert.deepEqual({ ...seat, players: seat.players.sort() }, { room, player: "ann", players: ["ann", "bob"] });
    assert.deepEqual(answer.type, "joined");
    await bob.hear("player_joined");
    assert.equal(await conns(game), base + 2);
    assert.equal(await handshaking(game), 0);
    ann.emit("event", { data: { x: 1.5, name: "é" }, id: 7 });
    assert.deepEqual(await bob.hear("event"), { type: "event", from: "ann", data: { x: 1.5, name: "é" }, id: 7 });
    bob.send('{"type":"event","data":[1,{}]}');
    assert.deepEqual(await heard(ann, "event"), [{ from: "bob", data: [1, {}] }]);
    for (let x = 0; x < 20; x++) ann.emit("position", { data: { x } });
    let at;
    do at = (await bob.hear("positions")).players.ann.x; // of one tick; the first may come before the last was sent
    while (at < 19);
    const seen = heard(ann, "positions");
    for (let x = 0; x < 20; x++) bob.send(JSON.stringify({ type: "position", data: [x] }));
    assert.deepEqual(Object.keys((await seen)[0].players), ["bob"]);
    assert.deepEqual(await ann.emitWithAck("event", { data: 0 }), {});
    assert.deepEqual(await ann.emitWithAck("ping", { id: 3 }), { type: "pong", id: 3 });
    const closed = heard(ann, "closed");
    const gone = heard(ann, "disconnect");
    ann.emit("leave");
    await heard(ann, "left");
    assert.deepEqual(await closed, [{ code: 1000, reason: "left" }]);
    assert.equal((await gone)[0], "io server disconnect");
    await bob.hear("player_left");
    bob.close();
    await until("both are gone", async () => (await conns(game)) === base);
  });

for (const [way, options] of Object.entries(ways))
  test(`${way}: auth stands for join; a lost connection comes back to its seat by itself`, async () => {
    const room = `a-${way}`;
    const bob = await plainJoin("bob", room);
    const auth = { room, player: "ann", ticket: await ticket("ann", room) };
    const ann = client(game, { ...options, auth, reconnection: true, reconnectionDelay: 20 });
    await heard(ann, "joined");
    await bob.hear("player_joined");
    ann.io.engine.close();
    const [again] = await heard(ann, "joined");
    assert.equal(again.players.length, 2);
    ann.emit("event", { data: "back" });
    assert.equal((await bob.hear("event")).data, "back");
    assert.equal(bob.inbox.some((m) => m.type === "player_left"), false);
    ann.disconnect();
    await until("ann's socket is gone", async () => (await conns(game)) === 1);
    bob.close();
    await until("bob's too", async () => (await conns(game)) === 0);
  });

for (const [way, options] of Object.entries(ways))
  test(`${way}: refusals are told with their reason, then the node disconnects`, async () => {
    for (const [change, reason] of [
      [{ aud: "other" }, "wrong_node"],
      [{ exp: 1000, iat: 900 }, "ticket_expired"],
      [{ sub: "bob" }, "ticket_invalid"],
    ]) {
      const ann = client(game, { ...options, auth: { room: "r", player: "ann", ticket: await ticket("ann", "r", change) } });
      const refused = heard(ann, "refused");
      const closed = heard(ann, "closed");
      const gone = heard(ann, "disconnect");
      assert.equal((await refused)[0].reason, reason);
      assert.deepEqual(await closed, [{ code: 4403, reason }]);
      assert.equal((await gone)[0], "io server disconnect");
    }
  });

for (const [way, options] of Object.entries(ways))
  test(`${way}: not admitted in time, or not understood: told and closed`, async () => {
    const silent = client(game, options);
    assert.deepEqual(await heard(silent, "closed"), [{ code: 4408, reason: "admit_timeout" }]);
    for (const args of [["join", "text"], ["join", {}, {}], ["join", { room: Buffer.from("r") }]]) {
      const wrong = client(game, options);
      await heard(wrong, "connect");
      const [error, closed] = [heard(wrong, "error"), heard(wrong, "closed")];
      wrong.emit(...args);
      assert.equal((await error)[0].reason, "bad_frame");
      assert.deepEqual(await closed, [{ code: 1003, reason: "bad_frame" }]);
    }
    await until("none is left", async () => (await handshaking(game)) === 0);
  });

/** A client of the bare protocol that polls only when told to. */
async function rawPolling(auth) {
  const url = `${game}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const post = (body) => fetch(`${url}&sid=${sid}`, { method: "POST", body });
  assert.equal(await (await post(`40${JSON.stringify(auth)}`)).text(), "ok");
  return { post, get: async () => (await fetch(`${url}&sid=${sid}`)).text() };
}

test("who does not fetch is told, dropped, and costs no more than send_max", async () => {
  const bob = await plainJoin("bob", "slow");
  const ann = await rawPolling({ room: "slow", player: "ann", ticket: await ticket("ann", "slow") });
  await bob.hear("player_joined");
  assert.equal(await conns(game), 2);
  for (let i = 0; i < 8; i++) bob.send(JSON.stringify({ type: "event", data: "x".repeat(10000) }));
  await until("ann is no longer counted", async () => (await conns(game)) === 1);
  assert.equal(await metric(game, "berth_node_slow_readers_total"), 1);
  const last = await ann.get();
  assert.ok(last.length <= 65536, `${last.length} bytes`);
  assert.equal(await ann.get(), "1");
  bob.close();
});

for (const [way, options] of Object.entries(ways))
  test(`${way}: who sends too much is told, slowed down and loses nothing; the others are served`, async () => {
    const room = `f-${way}`, events = 340; // message_rate is 120, message_burst 240
    const before = await metric(game, "berth_node_throttled_total");
    const bob = await plainJoin("bob", room);
    const ann = client(game, { ...options, auth: { room, player: "ann", ticket: await ticket("ann", room) } });
    await heard(ann, "joined");
    const throttled = heard(ann, "throttled");
    const begin = Date.now();
    for (let i = 0; i < events; i++) ann.emit("event", { data: i });
    const served = ann.emitWithAck("ping", { id: "last" }).catch(() => null);
    await until("it is held", async () => (await metric(game, "berth_node_throttled_total")) === before + 1);
    bob.send('{"type":"event","data":"of bob"}');
    assert.deepEqual(await heard(ann, "event"), [{ from: "bob", data: "of bob" }]); // what is sent to it is not held up
    assert.deepEqual((await throttled)[0], { message_rate: 120 });
    assert.deepEqual(await served, { type: "pong", id: "last" });
    await ann.emitWithAck("ping", {}); // who polls may say more when the POST at hand is answered
    const took = Date.now() - begin;
    assert.ok(took > (1000 * (events - 240)) / 120 - 150, `${took} ms`);
    const said = () => bob.inbox.filter((m) => m.type === "event").map((m) => m.data);
    await until("bob has all of them", () => said().length >= events);
    assert.deepEqual(said(), [...Array(events).keys()]);
    assert.equal(await metric(game, "berth_node_throttled_total"), before + 1);
    ann.disconnect();
    bob.close();
    await until("both are gone", async () => (await conns(game)) === 0);
  });

test("a second POST while the first one waits ends the session", async () => {
  const ann = await rawPolling({ room: "posts", player: "ann", ticket: await ticket("ann", "posts") });
  const first = ann.post([...Array(600)].map(() => '42["ping"]').join("\x1e"));
  await until("it is held", async () => (await metric(game, "berth_node_throttled")) === 1);
  assert.equal((await ann.post('42["ping"]')).status, 400);
  assert.equal(await (await first).text(), "ok");
  await until("it is gone", async () => (await metric(game, "berth_node_throttled")) === 0);
  await until("and not counted", async () => (await conns(game)) === 0);
});

test("what is hostile is dropped, and the node goes on", async () => {
  const bob = await plainJoin("bob", "calm");
  const bads = ["42", "9", "4", "2", '42["event",{"data":[}]', `42${"[".repeat(10000)}`, '451-["event"]\x1e4x', "bAAAA", "b!", "\x1e", "4400"];
  for (const bad of bads) {
    const raw = await rawPolling({});
    await raw.post(bad);
    await until(`${bad.slice(0, 20)} is dropped`, async () => ["1", "{"].includes((await raw.get())[0]));
  }
  const fat = await rawPolling({});
  assert.equal((await fat.post("4".repeat(17000))).status, 413);
  const opened = await Promise.allSettled([...Array(200)].map(() => fetch(`${game}/socket.io/?EIO=4&transport=polling`)));
  assert.ok(opened.some((s) => s.value?.status === 503) && opened.every((s) => [200, 503].includes(s.value?.status)));
  bob.send('{"type":"ping","id":1}');
  await bob.hear("pong");
  assert.equal(await conns(game), 1);
  await until("they all are gone", async () => (await handshaking(game)) === 0);
  bob.close();
  await until("and bob", async () => (await conns(game)) === 0);
});

test("probes are answered and not counted", async () => {
  const probe = client(game, ways.websocket);
  await heard(probe, "connect");
  const answer = await probe.emitWithAck("probe");
  assert.equal(answer.type, "probe_ok");
  assert.equal(await handshaking(game), 0);
  assert.equal(await conns(game), 0);
});

test("lobby: a party over Socket.IO is told of itself, waits whole, and talks", async () => {
  const [ann, bob] = ["ann", "bob"].map((player, i) => client(lobby, { ...Object.values(ways)[i], auth: { player } }));
  await Promise.all([ann, bob].map((p) => heard(p, "welcome")));
  const made = heard(ann, "party");
  ann.emit("party_create", {});
  const [{ code, leader }] = await made;
  assert.equal(leader, "ann");
  const both = [ann, bob].map((p) => heard(p, "party"));
  bob.emit("party_join", { code });
  for (const [said] of await Promise.all(both)) assert.deepEqual(said, { code, leader: "ann", players: ["ann", "bob"] });
  const seeking = [ann, bob].map((p) => heard(p, "seeking"));
  ann.emit("seek", { mode: "pairs", rating: 1200, region: "eu" });
  for (const [said] of await Promise.all(seeking)) assert.deepEqual(said, { mode: "pairs", size: 4 });
  const message = heard(ann, "message");
  bob.emit("message", { to: "party", data: { ready: true } });
  assert.deepEqual((await message)[0], { from: "bob", group: code, data: { ready: true } });
  const cancelled = heard(ann, "cancelled");
  bob.disconnect();
  assert.deepEqual((await cancelled)[0], { mode: "pairs", reason: "party_changed" });
  ann.disconnect();
  await until("both are gone", async () => (await conns(lobby)) === 0);
});

test("lobby: four seekers over all transports are welcomed, counted and queued", async () => {
  const players = Object.entries({ ...ways, again: {} }).map(([way, options]) => client(lobby, { ...options, auth: { player: `p-${way}` } }));
  await Promise.all(players.map((p) => heard(p, "welcome")));
  assert.equal(await conns(lobby), 4);
  const seeking = players.map((p) => heard(p, "seeking"));
  for (const p of players.slice(0, 3)) p.emit("seek", {});
  for (const [said] of await Promise.all(seeking.slice(0, 3))) assert.deepEqual(said, { mode: "default", size: 4 });
  const cancelled = heardWith(players[0], "cancelled", () => true);
  players[0].emit("cancel");
  await cancelled;
  for (const p of players) p.disconnect();
  await until("all are gone", async () => (await conns(lobby)) === 0);
});

await run();
