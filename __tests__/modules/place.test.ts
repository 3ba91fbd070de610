import { App, TerraformStack } from "cdktf";
import { Construct } from "constructs";
import { Place, placeOf, setPlace } from "../../modules/place";

const place = new Place({ account: "123456789012", region: "eu-west-1" });

test.each([
  ["eu-west-1", "aws"],
  ["cn-north-1", "aws-cn"],
  ["us-gov-west-1", "aws-us-gov"],
])("%s is in the partition %s", (region, partition) => {
  const there = new Place({ account: "123456789012", region });
  expect(there.partition).toBe(partition);
  expect(there.arn("sqs", "queue")).toBe(`arn:${partition}:sqs:${region}:123456789012:queue`);
});

test("an ARN has a region and an account only where its service has them", () => {
  expect(place.arn("iam", "role/a")).toBe("arn:aws:iam::123456789012:role/a");
  expect(place.bucketArn("acme-data/runs/*")).toBe("arn:aws:s3:::acme-data/runs/*");
});

test("a construct has the place of the nearest scope that has one", () => {
  const stack = new TerraformStack(new App(), "data");
  const inner = new Construct(stack, "inner");
  const construct = new Construct(inner, "construct");
  setPlace(stack, place);
  expect(placeOf(construct)).toBe(place);
  const elsewhere = new Place({ account: "123456789012", region: "us-east-1" });
  setPlace(inner, elsewhere);
  expect(placeOf(construct)).toBe(elsewhere);
  expect(placeOf(stack)).toBe(place);
});

test("a construct below a stack without a place is refused with what to do", () => {
  const stack = new TerraformStack(new App(), "data");
  expect(() => placeOf(new Construct(stack, "key"))).toThrow("data/key has no place: its stack must call setPlace");
});
