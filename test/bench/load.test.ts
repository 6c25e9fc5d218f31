import { expect, test } from "bun:test";
import { runLoad } from "../../bench/load.ts";
import { createTraffic } from "../../bench/traffic.ts";

const ANSWER = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

test("a closed loop tells of each request whose connection is closed without an answer", async () => {
  const LOST = 2;
  let connections = 0;
  using target = listen(() => (connections++ < LOST ? [ANSWER, undefined] : [ANSWER]));
  const { answers, requests } = await load(target.port);
  expect(answers.get("unanswered")).toBe(LOST);
  expect(answers.get("200")).toBe(requests);
});

test("a request that is under way when a closed loop ends is not lost", async () => {
  using target = listen(() => [ANSWER]);
  const { answers, requests } = await load(target.port);
  expect(requests).toBeGreaterThan(0);
  expect([...answers]).toEqual([["200", requests]]);
});

function load(port: number) {
  const catalog = { path: "", offers: [{ supplyId: "supply1", country: "US" }] };
  const traffic = createTraffic({ catalog, clients: "one" });
  return runLoad({ url: `http://127.0.0.1:${port}`, connections: 4, seconds: 0.3, traffic });
}

/**
 * Says what a connection is told, one answer for each request, the last one again and again.
 * Undefined closes it.
 */
function listen(answersOf: () => (string | undefined)[]) {
  return Bun.listen<{ answers: (string | undefined)[] }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { answers: answersOf() };
      },
      data(socket) {
        const { answers } = socket.data;
        const answer = answers.length > 1 ? answers.shift() : answers[0];
        if (answer === undefined) socket.end();
        else socket.write(answer);
      },
    },
  });
}
