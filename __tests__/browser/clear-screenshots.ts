import { rmSync } from "node:fs";
import { screenshots } from "./visit";

/** Takes away the pictures of the last run, so that none of a state that is gone is looked at. */
export default function clearScreenshots(): void {
  rmSync(screenshots, { recursive: true, force: true });
}
