import { type DataSourceKind, unlessMissing } from "./resource-kind";
import { readParameter } from "./resources/ssm";

const ssmParameter: DataSourceKind = {
  type: "aws_ssm_parameter",
  async read({ arguments: list, clients }) {
    const name = list.requireText("name");
    const found = await readParameter(clients.ssm, name);
    if (!found) {
      throw new Error(`the parameter ${name} does not exist yet: first provision the stack that publishes it`);
    }
    return { insecure_value: found.Value ?? "" };
  },
};

/**
 * Content types that Terraform reads as text; other content is not shown (provider's source, `isContentTypeAllowed`).
 */
const textTypes =
  /^(text\/.+|application\/(atom\+xml|json|ld\+json|x-csh|x-httpd-php|x-sh|xhtml\+xml|xml|x-sql|yaml))$/;

const s3Object: DataSourceKind = {
  type: "aws_s3_object",
  async read({ arguments: list, clients }) {
    const Bucket = list.requireText("bucket");
    const Key = list.requireText("key");
    const found = await unlessMissing(clients.s3.getObject({ Bucket, Key }));
    if (!found) {
      throw new Error(`there is no object ${Key} in the bucket ${Bucket}: correct the key, or put the object there`);
    }
    const type = found.ContentType ?? "";
    const content = await found.Body?.transformToString();
    return { body: textTypes.test(type) ? (content ?? "") : null, content_type: type };
  },
};

/** All known data sources. */
export const allDataSources: readonly DataSourceKind[] = [ssmParameter, s3Object];
