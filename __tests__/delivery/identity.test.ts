import { requireAccount } from "../../delivery/identity";
import { loadEnvironment } from "../../environments";
import { keys } from "./command";
import { callerOf, Recorder } from "./recorder";

const environment = loadEnvironment("development");
const { account } = environment;

test.each(["aws", "aws-cn"])("reports who is signed in, and that it is AWS's partition %s", async (partition) => {
  const caller = callerOf(account);
  const recorder = await Recorder.start(() => ({
    ...caller,
    body: caller.body.replace("arn:aws:", `arn:${partition}:`),
  }));
  Object.assign(process.env, keys, { AWS_ENDPOINT_URL: recorder.endpoint });
  try {
    await expect(requireAccount(environment)).resolves.toEqual({
      account,
      arn: `arn:${partition}:iam::${account}:user/maria`,
      partition,
    });
  } finally {
    await recorder.stop();
  }
});
