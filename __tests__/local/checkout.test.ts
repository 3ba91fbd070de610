import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { root } from "../../local/platform/instance";

const folder = mkdtempSync(join(tmpdir(), "checkout-"));

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

test("a clone has the line ends of the repository where the user's git makes CRLF of them", () => {
  const source = join(folder, "source");
  const clone = join(folder, "clone");
  const files = [
    ".gitattributes",
    "Makefile",
    "model-image/Dockerfile",
    "model-image/bin/train",
    "web/pictures/icon-180.png",
    ...readdirSync(join(root, "local/setup")).map((name) => `local/setup/${name}`),
  ];
  for (const file of files) {
    cpSync(join(root, file), join(source, file));
  }
  // The machine's own settings of git stay out of it.
  const git = (...words: string[]): void => {
    execFileSync("git", ["-c", "user.name=test", "-c", "user.email=test@example.com", ...words], {
      env: { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1" },
      stdio: ["ignore", "ignore", "pipe"],
    });
  };
  git("init", source);
  git("-C", source, "add", ".");
  git("-C", source, "commit", "--message", "test: all files");
  git("clone", "-c", "core.autocrlf=true", source, clone);

  for (const file of files) {
    expect([file, readFileSync(join(clone, file)).equals(readFileSync(join(root, file)))]).toEqual([file, true]);
  }
});
