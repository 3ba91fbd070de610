/** Why a right need not be used on this machine. */
interface Excuse {
  /** The right's action, as the policy writes it; `*` stands for any text. */
  readonly action: string;
  /** As a clause, for the list. */
  readonly reason: string;
}

/** Rights that no loop on this machine uses, each with the reason. */
export const excuses: readonly Excuse[] = [
  { action: "sagemaker:*", reason: "SageMaker's operations are not judged here yet" },
  { action: "logs:*", reason: "the emulator writes the logs of functions and state machines by itself" },
  { action: "xray:*", reason: "the emulator has no X-Ray" },
];
