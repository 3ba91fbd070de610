/** Amazon CloudWatch: alarms. */
import { blocks } from "./arguments";
import type { Permissions } from "./permissions";
import { fixedCharge, type Service } from "./record";

const alarms: Permissions = {
  sid: "Alarms",
  reads: "cloudwatch:DescribeAlarms cloudwatch:ListTagsForResource",
  writes: "cloudwatch:DeleteAlarms cloudwatch:PutMetricAlarm cloudwatch:TagResource cloudwatch:UntagResource",
  on: "cloudwatch:alarm:{name}",
};

export const cloudwatch: Service = {
  aws_cloudwatch_metric_alarm: {
    permissions: [alarms],
    price: {
      // AWS bills the metrics that an alarm reads, not what it calculates from them.
      charges: (block) => [
        fixedCharge(
          "alarmMonth",
          Math.max(1, blocks(block, "metric_query").filter(({ metric }) => metric !== undefined).length),
        ),
      ],
    },
  },
};
