/**
 * A function's AWS credentials: Lambda puts them into the environment and renews them there ("Defined runtime
 * environment variables" in the Lambda Developer Guide). The bundler replaces the SDK's own provider chain (profiles,
 * single sign-on, metadata services), which Lambda does not need, with this file. This makes each archive a fifth
 * smaller.
 */

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * Same interface as `@aws-sdk/credential-provider-node`.
 * @returns a provider that throws if a variable is missing, with its name
 */
export function defaultProvider(): () => Promise<Credentials> {
  return () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = process.env;
    if (!AWS_ACCESS_KEY_ID || !AWS_SECRET_ACCESS_KEY) {
      const missing = AWS_ACCESS_KEY_ID ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID";
      return Promise.reject(new Error(`${missing} is not set: Lambda sets it from the function's role.`));
    }
    return Promise.resolve({
      accessKeyId: AWS_ACCESS_KEY_ID,
      secretAccessKey: AWS_SECRET_ACCESS_KEY,
      sessionToken: AWS_SESSION_TOKEN,
    });
  };
}
