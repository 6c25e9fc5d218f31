import { afterEach, expect, test } from "bun:test";
import { join } from "node:path";
import { Redis } from "ioredis";
import {
  connectLimiter,
  type LimiterConnection,
} from "../../../src/store/redis/limiter-connection.ts";
import { AUTHORITY, CERTIFICATE, KEY } from "../../support/certificate.ts";
import { createFolder } from "../../support/folder.ts";
import { startRedis } from "../../support/redis.ts";
import { until } from "../../support/until.ts";

const PASSWORD = "p@ss:/ä";
let connection: LimiterConnection;
afterEach(() => connection.close());

function connect(url: string) {
  const errors: string[] = [];
  let readies = 0;
  const onError = (error: Error) => errors.push(error.message);
  connection = connectLimiter({ url, name: "tester", onError }, () => readies++);
  return { errors, readies: () => readies };
}

async function untilAnswered(): Promise<void> {
  const isAnswered = () => connection.call("TIME", []).then(Boolean, () => false);
  await until("an answer", isAnswered, 15_000);
}

const info = async () => String(await connection.call("CLIENT", ["INFO"]));

test("takes the password, the user and the number of the database from the URL", async () => {
  await using redis = await startRedis("--requirepass", PASSWORD);
  const secret = encodeURIComponent(PASSWORD);
  connect(redis.url.replace("//", `//:${secret}@`).concat("/3"));
  await untilAnswered();
  expect(await info()).toMatch(/name=tester .*db=3 .*user=default/);
  const added = ["SETUSER", "limiter", "on", `>${PASSWORD}`, "~*", "+@all"];
  await connection.call("ACL", added);
  connection.close();
  connect(redis.url.replace("//", `//limiter:${secret}@`));
  await untilAnswered();
  expect(await info()).toMatch(/name=tester .*db=0 .*user=limiter/);
  connection.close();
  const { errors } = connect(redis.url);
  await until("the refusal", () => errors.length > 0);
});

test.each(["unix:", "unix://"])("connects to %s and a path", async (scheme) => {
  using folder = createFolder();
  const path = folder.path("redis.sock");
  await using _ = await startRedis("--unixsocket", path);
  connect(`${scheme}${path}`);
  await untilAnswered();
  expect(await info()).toContain(path);
});

test("speaks TLS to a server whose authority is trusted, and to no other", async () => {
  using folder = createFolder();
  const files = { authority: AUTHORITY, certificate: CERTIFICATE, key: KEY };
  for (const [name, text] of Object.entries(files)) await Bun.write(folder.path(name), text);
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  await using _ = await startRedis(
    ...["--tls-port", String(port), "--tls-auth-clients", "no"],
    ...["--tls-cert-file", folder.path("certificate"), "--tls-key-file", folder.path("key")],
    ...["--tls-ca-cert-file", folder.path("authority")],
  );
  const { errors, readies } = connect(`rediss://127.0.0.1:${port}`);
  await until("the refusal", () => errors.length > 0);
  expect(readies()).toBe(0);
  const trusting = Bun.spawn([process.execPath, "-e", CALL, `rediss://127.0.0.1:${port}`], {
    env: { ...process.env, NODE_EXTRA_CA_CERTS: folder.path("authority") },
    cwd: join(import.meta.dir, "../../.."),
  });
  expect(await trusting.stdout.text()).toBe("ready");
});

const CALL = `
  import { connectLimiter } from "./src/store/redis/limiter-connection.ts";
  const options = { url: process.argv[1], name: "tester", onError: ({ message }) => console.log(message) };
  const connection = connectLimiter(options, () => {
    process.stdout.write("ready");
    connection.close();
  });`;

test("outlives servers that are silent, load their data or break off, and tells once", async () => {
  await using redis = await startRedis();
  const behaviours = ["silent", "loading", "breaking off", "loading"];
  using proxy = Bun.listen<{ data?: (chunk: Buffer) => void }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      async open(socket) {
        const behaviour = behaviours.shift();
        socket.data = {};
        if (behaviour === "breaking off") socket.end();
        if (behaviour === "loading") {
          socket.data.data = () =>
            socket.write("-LOADING Redis is loading the dataset in memory\r\n");
        }
        if (behaviour) return;
        const early: Buffer[] = [];
        socket.data.data = (chunk) => early.push(Buffer.from(chunk));
        const server = await Bun.connect({
          hostname: "127.0.0.1",
          port: redis.port,
          socket: { data: (_, chunk) => void socket.write(chunk) },
        });
        for (const chunk of early) server.write(chunk);
        socket.data.data = (chunk) => server.write(chunk);
      },
      data: (socket, chunk) => socket.data.data?.(chunk),
    },
  });
  const { errors, readies } = connect(`redis://127.0.0.1:${proxy.port}`);
  await untilAnswered();
  expect(behaviours).toEqual([]);
  expect([errors.length, readies()]).toEqual([1, 1]);
});

test("leaves a server that no longer answers, and comes back to it", async () => {
  await using redis = await startRedis();
  const { errors, readies } = connect(redis.url);
  await untilAnswered();
  process.kill(redis.pid, "SIGSTOP");
  expect(await connection.call("TIME", []).catch(() => "lost")).toBe("lost");
  expect(errors).toEqual(["no answer in 2000 ms"]);
  expect(await connection.call("TIME", []).catch(({ message }) => message)).toContain("not ready");
  process.kill(redis.pid, "SIGCONT");
  await untilAnswered();
  expect(readies()).toBe(2);
});

test("keeps a server that has answered while this process itself stood still", async () => {
  await using redis = await startRedis();
  const { errors, readies } = connect(redis.url);
  await untilAnswered();
  const other = new Redis(redis.url);
  const answered = connection.call("BLPOP", ["nothing", "1"]).then(() => "answered");
  // Between the arrival of something else and the timers: the answer is there, but not yet read.
  await other.ping();
  Bun.sleepSync(2_500);
  expect(await answered).toBe("answered");
  other.disconnect();
  expect([errors, readies()]).toEqual([[], 1]);
});

test("leaves a server that became a replica", async () => {
  await using redis = await startRedis();
  const { errors, readies } = connect(redis.url);
  await untilAnswered();
  await connection.call("REPLICAOF", ["127.0.0.1", "1"]);
  expect(await connection.call("SET", ["a", "1"]).catch(({ message }) => message)).toMatch(
    /^READONLY/,
  );
  expect(errors).toHaveLength(1);
  await until("it is connected again", () => readies() === 2);
});
