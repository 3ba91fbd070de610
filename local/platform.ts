/**
 * The local platform's commands: `make up`, `survey`, `data-workflow`, `down`, `status`, `model-card`, `access`,
 * `logs`, `clean` and `env` are this program.
 *
 * Exit status: 0 for success, 1 for an error, with the reason.
 */
import { readdirSync, rmSync, statSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { runCommand } from "../command";
import { awsEnvironment, forgetRealCredentials, type Instance, openInstance, shown } from "./platform/instance";
import { locked } from "./platform/lock";
import { lastLines, logFile } from "./platform/processes";
import { addressOf, serviceNames } from "./platform/services";
import { status } from "./platform/status";
import { stopPlatform } from "./platform/stop";

/** How many logs of jobs and commands `make logs` lists: the monitor alone adds one per minute. */
const shownLogs = 20;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

async function upCommand(instance: Instance): Promise<void> {
  // Only this command needs the provisioner and its dozen AWS clients; the others start fast without them.
  const { up } = await import("./platform/up");
  const survey = process.env.SURVEY;
  const { platform, notes } = await locked(instance, () => up(instance, survey === "" ? undefined : survey));
  say(`${notes.map((note) => `\n  ${note}\n`).join("")}
  The website answers:  ${platform.website}
  The test website:     ${platform.websiteTest}
  The API:              ${platform.api}
  Mails of visitors:    ${shown(instance.path("mail"))}
  All AWS services:     ${platform.aws}   (eval "$(make -s env)")

  make status shows what runs, make logs what it says, make down stops it.`);
}

/** AWS settings of the calling shell: a profile, a token or a service's endpoint would override what `env` sets. */
const settingsOfTheShell = Object.keys(process.env).filter((name) => name.startsWith("AWS_"));

const commands: Readonly<Record<string, (instance: Instance) => Promise<unknown>>> = {
  up: upCommand,

  down: async (instance) => {
    const stopped = await stopPlatform(instance);
    say(
      stopped.length === 0
        ? "Nothing ran."
        : `Stopped ${stopped.join(", ")}. Their state is kept: make up continues with it.`,
    );
  },

  survey: async (instance) => {
    const { describeShift, describeWait, writeSurvey } = await import("./data-workflow/arriving-survey");
    const { ROWS, SEED, SHIFT } = process.env;
    const { rows, seed, shift, path, bucket, key } = await writeSurvey(instance, { ROWS, SEED, SHIFT });
    const size = shift === 0 ? "" : `, each ${describeShift(shift)}`;
    say(`Wrote a survey of ${rows} animals (seed ${seed}${size}):
  ${shown(path)}
  s3://${bucket}/${key}

  make data-workflow ingests it.${describeWait(rows)}`);
  },

  "data-workflow": async (instance) => {
    const { dataWorkflow } = await import("./data-workflow");
    return (await locked(instance, () => dataWorkflow(instance, say), "data-workflow-lock")) ? 0 : 1;
  },

  "model-card": async (instance) => {
    const { fetchModelCard, statusInWords } = await import("./platform/model-card");
    const { approval, gate, modelPackage, path, status: review, uri } = await fetchModelCard(instance);
    say(`The model card of ${modelPackage}, to open in a browser:
  ${pathToFileURL(path).href}

  in S3   ${uri}
  gate    ${gate}
  model   ${approval}
  card    ${statusInWords(review)}`);
  },

  status: async (instance) => {
    const { text, healthy } = await status(instance);
    say(text);
    return healthy ? 0 : 1;
  },

  access: async (instance) => {
    const { describeAccess, readAccess } = await import("./platform/access");
    const { FORMAT = "text" } = process.env;
    if (FORMAT !== "text" && FORMAT !== "json") {
      throw new Error(`FORMAT is '${FORMAT}'; expected text or json.`);
    }
    const access = await readAccess(instance);
    say(FORMAT === "json" ? JSON.stringify(access, null, 2) : describeAccess(access.roles));
  },

  logs: async (instance) => {
    for (const name of serviceNames) {
      say(`==> ${shown(logFile(instance, name))} <==\n${lastLines(instance, name, 40) || "(nothing)"}\n`);
    }
    const others = readdirSync(instance.path("logs"), { recursive: true, encoding: "utf8" })
      .filter((file) => file.endsWith(".log") && !serviceNames.some((name) => file === `${name}.log`))
      .map((file) => ({ file, changed: statSync(instance.path("logs", file)).mtimeMs }))
      .sort((one, other) => other.changed - one.changed);
    if (others.length > 0) {
      const newest = others.slice(0, shownLogs).map(({ file }) => `  ${file}`);
      const older = others.length - newest.length;
      say(
        [
          `Further logs in ${shown(instance.path("logs"))}, the newest first:`,
          ...newest,
          ...(older > 0 ? [`  and ${older} older`] : []),
        ].join("\n"),
      );
    }
    return Promise.resolve();
  },

  clean: async (instance) => {
    await stopPlatform(instance);
    rmSync(instance.directory, { recursive: true, force: true });
    say(`Stopped everything and removed ${shown(instance.directory)}.`);
  },

  env: async (instance) => {
    const environment = awsEnvironment(addressOf(instance, "emulator"));
    for (const name of settingsOfTheShell.filter((setting) => !(setting in environment))) {
      say(`unset ${name}`);
    }
    for (const [name, value] of Object.entries(environment)) {
      say(`export ${name}=${value}`);
    }
    for (const name of ["NO_PROXY", "no_proxy"]) {
      say(`export ${name}="\${${name}:+$${name},}127.0.0.1"`);
    }
    return Promise.resolve();
  },
};

/** Commands that continue after an interrupt, and the message about it. */
const resumable: Readonly<Record<string, string>> = {
  up: "make up continues it.",
  "data-workflow":
    "make data-workflow continues it. A release that has started continues by itself, and is shown then.",
};

/** Tells the user after an interrupt what happened to the work, after the terminal output has ended. */
function tellWhoInterrupts(how: string): void {
  process.once("SIGINT", () => {
    process.once("exit", () => {
      process.stderr.write(`\nInterrupted. What is done is kept: ${how}\n`);
      process.exitCode = 130;
    });
    setImmediate(() => process.exit());
  });
}

runCommand(async () => {
  const name = process.argv[2] ?? "";
  const command = commands[name];
  if (command === undefined) {
    throw new Error(`'${name}' is not a command; expected one of ${Object.keys(commands).join(", ")}.`);
  }
  forgetRealCredentials();
  if (resumable[name] !== undefined) {
    tellWhoInterrupts(resumable[name]);
  }
  return await command(openInstance(undefined, { anyLayout: name === "clean" || name === "down" }));
});
