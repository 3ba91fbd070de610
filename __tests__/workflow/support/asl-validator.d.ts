/** `asl-validator` 4 comes without types. */
declare module "asl-validator" {
  /** Checks a state machine's definition. It writes into what it is given: pass a copy. */
  export default function validate(definition: object): {
    readonly isValid: boolean;
    readonly errorsText: (separator?: string) => string;
  };
}
