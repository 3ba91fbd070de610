import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";

import { root } from "../local/platform/instance";
import { features } from "../survey/feature-contract";
import { median, quantile, stop, table } from "./measure";

/** Requests before the clock starts, and those that count. */
const warmUp = 50;
const counted = 500;

/** A server under measurement: its processes are one group each. */
interface Server {
  readonly title: string;
  readonly port: number;
  readonly processes: readonly ChildProcess[];
  /** One row as it takes it. */
  readonly body: string;
}

/** What one row costs. */
interface Cost {
  readonly latencies: readonly number[];
  /** Processor milliseconds of all its processes for a request. */
  readonly cpu: number;
  /** Memory of all its processes, in MB; pages that they share count for each. */
  readonly memory: number;
}

/**
 * One row a request, one request after the other on one connection: the image's server, and the original's where its
 * Python is given.
 * @param base folder of a finished training of both
 */
export async function servingBenchmark(base: string, originalPython: string | undefined): Promise<string> {
  if (!existsSync("/proc/self/stat")) {
    return "serving: not measured. The processor time of running servers is read from Linux' /proc.";
  }
  const servers: Server[] = [];
  const stopAll = (): void => {
    for (const process of servers.flatMap(({ processes }) => processes)) {
      stop(process);
    }
  };
  process.prependOnceListener("exit", stopAll); // however the benchmark ends
  try {
    servers.push(await startOurs(base));
    if (originalPython !== undefined) {
      servers.push(await startOriginal(base, originalPython));
    }
    for (const server of servers) {
      await untilItAnswers(server);
    }
    const costs = await costsOf(servers);
    const rows = costs.map(({ latencies, cpu, memory }, index) => [
      servers[index]?.title ?? "",
      median(latencies).toFixed(2),
      quantile(latencies, 0.99).toFixed(2),
      cpu.toFixed(2),
      memory.toFixed(0),
    ]);
    const [own, peer] = costs;
    if (own && peer) {
      const ratio = (of: (cost: Cost) => number): string => `${(of(peer) / of(own)).toFixed(0)} times`;
      rows.push([
        "original / ours",
        ratio(({ latencies }) => median(latencies)),
        ratio(({ latencies }) => quantile(latencies, 0.99)),
        ratio(({ cpu }) => cpu),
        ratio(({ memory }) => memory),
      ]);
    }
    return table(["one row, one after the other", "median ms", "99 % under ms", "CPU ms a request", "memory MB"], rows);
  } finally {
    stopAll();
    process.off("exit", stopAll);
  }
}

const example = features.map((feature) => (feature.type === "number" ? feature.example : "M"));

async function startOurs(base: string): Promise<Server> {
  const port = await freePort();
  const command = [join(root, ".venv/model/bin/python"), join(root, "model-image/bin/serve")];
  const env = { SAGEMAKER_BASE_DIR: base, SERVE_HOST: "127.0.0.1", SAGEMAKER_BIND_TO_PORT: `${port}` };
  return {
    title: "ours: ONNX Runtime, Starlette, uvicorn",
    port,
    processes: [start(base, "ours", command, env)],
    body: `${example.join(",")}\n`,
  };
}

/** One worker, as the model image has one: more would only take more memory, for there is one request at a time. */
async function startOriginal(base: string, python: string): Promise<Server> {
  const socket = join(base, "gunicorn.sock");
  const port = await freePort();
  const nginx = execFileSync(join(root, "benchmarks/original/nginx"), {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  }).trim();
  const bind = nginx === "" ? `127.0.0.1:${port}` : `unix:${socket}`;
  const command = [python, "-m", "gunicorn", "--bind", bind, "--workers", "1", "--timeout", "120", "server:app"];
  const processes = [
    start(base, "gunicorn", command, {
      PYTHONPATH: join(root, "benchmarks/original"),
      MODEL: join(base, "original.keras"),
      CUDA_VISIBLE_DEVICES: "",
      TF_CPP_MIN_LOG_LEVEL: "3",
    }),
  ];
  if (nginx !== "") {
    const configuration = join(base, "nginx.conf");
    writeFileSync(configuration, nginxConfiguration(base, port, socket));
    processes.push(start(base, "nginx", [nginx, "-p", base, "-c", configuration, "-e", "stderr"], {}));
  }
  const measures = example.slice(1).map((value) => Number(value) / 200);
  return {
    title: `the original: Keras, Flask, gunicorn${nginx === "" ? " (no nginx here)" : ", nginx"}`,
    port,
    processes,
    body: `${[0, 0, 1, ...measures].join(",")}\n`,
  };
}

const nginxConfiguration = (base: string, port: number, socket: string): string => `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${base}/nginx.pid;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${base}/nginx-body;
  proxy_temp_path ${base}/nginx-proxy;
  fastcgi_temp_path ${base}/nginx-fastcgi;
  uwsgi_temp_path ${base}/nginx-uwsgi;
  scgi_temp_path ${base}/nginx-scgi;
  keepalive_requests 100000;
  upstream gunicorn { server unix:${socket}; }
  server {
    listen 127.0.0.1:${port};
    client_max_body_size 5m;
    location / { proxy_pass http://gunicorn; }
  }
}
`;

function start(
  base: string,
  name: string,
  [program = "", ...rest]: readonly string[],
  env: NodeJS.ProcessEnv,
): ChildProcess {
  const log = openSync(join(base, `${name}.log`), "w");
  const child = spawn(program, rest, {
    cwd: base,
    env: { ...process.env, ...env },
    detached: true, // a group of its own: all of its processes are counted and stopped together
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  child.once("error", () => undefined); // told by the log that stays empty, when it doesn't answer
  return child;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((settle) => probe.listen(0, "127.0.0.1", settle));
  const address = probe.address();
  await new Promise((settle) => probe.close(settle));
  if (address === null || typeof address === "string") {
    throw new Error("There is no free port on 127.0.0.1.");
  }
  return address.port;
}

async function ask(port: number, agent: Agent, method: string, path: string, body = ""): Promise<string> {
  return await new Promise((settle, fail) => {
    const headers = { "content-type": "text/csv", "content-length": Buffer.byteLength(body) };
    const sent = request({ host: "127.0.0.1", port, agent, method, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (piece: string) => (text += piece));
      response.on("end", () => {
        if (response.statusCode === 200) {
          settle(text);
        } else {
          fail(new Error(`${path} answered ${response.statusCode ?? "nothing"}: ${text.slice(0, 500)}`));
        }
      });
    });
    sent.on("error", fail);
    sent.end(body);
  });
}

async function untilItAnswers({ title, port, processes }: Server): Promise<void> {
  const agent = new Agent();
  for (const deadline = Date.now() + 120_000; ; await new Promise((settle) => setTimeout(settle, 100))) {
    try {
      await ask(port, agent, "GET", "/ping");
      return;
    } catch (error) {
      if (Date.now() > deadline || processes.some(({ exitCode }) => exitCode !== null)) {
        throw new Error(`${title} does not answer`, { cause: error });
      }
    }
  }
}

/** Asks the servers in turn, so that all meet the same noise. */
async function costsOf(servers: readonly Server[]): Promise<readonly Cost[]> {
  const asked = servers.map((server) => ({
    server,
    agent: new Agent({ keepAlive: true, maxSockets: 1 }),
    latencies: [] as number[],
    before: 0,
  }));
  for (let turn = -warmUp; turn < counted; turn += 1) {
    for (const one of asked) {
      const { title, port, processes, body } = one.server;
      if (turn === 0) {
        one.before = usageOf(processes).seconds;
      }
      const begin = performance.now();
      const answer = await ask(port, one.agent, "POST", "/invocations", body);
      if (turn >= 0) {
        one.latencies.push(performance.now() - begin);
      }
      const rings = Number.parseFloat(answer);
      if (!(rings >= 1 && rings <= 60)) {
        throw new Error(`${title} answers no number of rings: ${answer}`);
      }
    }
  }
  return asked.map(({ server, agent, latencies, before }) => {
    agent.destroy();
    const { seconds, memory } = usageOf(server.processes);
    return { latencies, cpu: (1000 * (seconds - before)) / counted, memory };
  });
}

/** Processor seconds and resident memory of all processes of the groups (proc_pid_stat(5)). */
function usageOf(processes: readonly ChildProcess[]): { readonly seconds: number; readonly memory: number } {
  const groups = new Set(processes.map(({ pid }) => pid));
  let ticks = 0;
  let pages = 0;
  for (const name of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    let text: string;
    try {
      text = readFileSync(`/proc/${name}/stat`, "utf8");
    } catch {
      continue; // ended meanwhile
    }
    // What follows the name in parentheses: state, parent, group, …; user and system time are the 12th and 13th,
    // resident pages the 22nd.
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    if (groups.has(fields[2])) {
      ticks += (fields[11] ?? 0) + (fields[12] ?? 0);
      pages += fields[21] ?? 0;
    }
  }
  const [ticksPerSecond, pageSize] = ["CLK_TCK", "PAGESIZE"].map((name) =>
    Number(execFileSync("getconf", [name], { encoding: "utf8" })),
  );
  return { seconds: ticks / (ticksPerSecond ?? 100), memory: (pages * (pageSize ?? 4096)) / 1e6 };
}
