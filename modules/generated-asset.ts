/**
 * Files that synth generates and Terraform reads, inside the stack's own folder, so that the folder is self-contained.
 *
 *     const asset = new GeneratedAsset(this, "archive", { files: new Map([["predict.zip", bytes]]) });
 *     asset.folder;              // "assets/predict_archive/<content hash>", as Terraform sees it from the stack's folder
 *     asset.path("predict.zip"); // that file
 *
 * CDKTF's own asset copies existing files, its hash ignores their names, and its archive differs from run to run.
 */
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { type ISynthesisSession, TerraformStack } from "cdktf";
import { addCustomSynthesis } from "cdktf/lib/synthesize/synthesizer";
import { Construct } from "constructs";
import { contentHash, readFiles } from "./content-hash";

export interface GeneratedAssetProps {
  /** Path within the asset, with `/` between folders, and the content. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Which of them are executable. @default none */
  readonly executable?: (path: string) => boolean;
}

/** Files in the stack's asset folder, in a folder named by their hash. */
export class GeneratedAsset extends Construct {
  /** Hexadecimal SHA-256 of the names and contents. */
  readonly hash: string;
  /** Where Terraform finds the files, relative to the stack's folder. */
  readonly folder: string;
  private readonly files: ReadonlyMap<string, Uint8Array>;

  constructor(scope: Construct, id: string, props: GeneratedAssetProps) {
    super(scope, id);
    const stack = TerraformStack.of(this);
    const home = posix.join("assets", stack.getLogicalId(this.node));
    this.files = props.files;
    this.hash = contentHash(props.files);
    this.folder = posix.join(home, this.hash.slice(0, 16));
    addCustomSynthesis(this, {
      onSynthesize: (session: ISynthesisSession) => {
        const stackFolder = join(session.outdir, session.manifest.forStack(stack).workingDirectory);
        if (!this.liesIn(stackFolder, home)) {
          // Remove what an earlier synth left here.
          rmSync(join(stackFolder, home), { recursive: true, force: true });
          for (const [name, content] of props.files) {
            const file = join(stackFolder, this.folder, name);
            mkdirSync(dirname(file), { recursive: true });
            writeFileSync(file, content);
          }
        }
        for (const name of props.files.keys()) {
          // A separate step, because the umask would change the mode on writing.
          chmodSync(join(stackFolder, this.folder, name), props.executable?.(name) ? 0o755 : 0o644);
        }
      },
    });
  }

  /** Whether an earlier synth already wrote exactly these files: reading is faster than writing. */
  private liesIn(stackFolder: string, home: string): boolean {
    try {
      const files = readFiles(join(stackFolder, this.folder), () => true);
      return contentHash(files) === this.hash && readdirSync(join(stackFolder, home)).length === 1;
    } catch {
      return false; // missing, or not a plain file
    }
  }

  /**
   * Where Terraform finds one of the files, relative to the stack's folder.
   * @throws Error when the asset has no such file
   */
  path(name: string): string {
    if (!this.files.has(name)) {
      throw new Error(
        `The asset ${this.node.path} has no file ${JSON.stringify(name)}; it has ${[...this.files.keys()].join(", ")}.`,
      );
    }
    return posix.join(this.folder, name);
  }
}
