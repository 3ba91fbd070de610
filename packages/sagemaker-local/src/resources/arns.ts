import type { Settings } from "../settings";

/** Makes and reads the ARNs of SageMaker's resources. */
export class Arns {
  constructor(private readonly settings: Pick<Settings, "region" | "account">) {}

  /** `arn:aws:sagemaker:<region>:<account>:<type>/<name>` */
  of(type: string, name: string): string {
    return `arn:aws:sagemaker:${this.settings.region}:${this.settings.account}:${type}/${name}`;
  }

  /** The name in an ARN of the given type, or the text itself when it is a plain name. */
  nameIn(type: string, nameOrArn: string): string {
    const match = /^arn:[^:]+:sagemaker:[^:]*:[^:]*:([^/]+)\/(.+)$/.exec(nameOrArn);
    return match?.[1] === type && match[2] !== undefined ? match[2] : nameOrArn;
  }

  /** Type and name of a resource, or undefined when the text is not a SageMaker ARN. */
  parse(arn: string): { type: string; name: string } | undefined {
    const match = /^arn:[^:]+:sagemaker:[^:]*:[^:]*:([^/]+)\/(.+)$/.exec(arn);
    return match?.[1] === undefined || match[2] === undefined ? undefined : { type: match[1], name: match[2] };
  }
}
