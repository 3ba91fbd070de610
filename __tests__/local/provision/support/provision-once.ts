/** Provisions one stack in a process of its own, which a test can kill at any moment: prints each step. */
import { provision, type ProvisionOptions } from "../../../../local/provision";

const options = JSON.parse(process.argv[2] ?? "") as ProvisionOptions;
provision({ ...options, onProgress: (message) => process.stdout.write(`${message}\n`) }).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  },
);
