/** Amazon CloudWatch: alarms. */
import { blocks } from "./arguments";
import type { Permissions } from "./permissions";
import { fixed } from "./price";
import type { Service } from "./resource-type";

const alarms: Permissions = {
  sid: "Alarms",
  service: "cloudwatch",
  reads: ["DescribeAlarms", "ListTagsForResource"],
  writes: ["DeleteAlarms", "PutMetricAlarm", "TagResource", "UntagResource"],
  on: ["alarm:{name}"],
};

export const cloudwatch: Service = {
  aws_cloudwatch_metric_alarm: {
    permissions: [alarms],
    price: {
      // AWS counts the metrics that an alarm looks at, not what it calculates from them.
      charges: (block) => [
        fixed(
          "alarmMonth",
          Math.max(1, blocks(block, "metric_query").filter(({ metric }) => metric !== undefined).length),
        ),
      ],
    },
  },
};
