/** AWS's list prices, from `prices.json`. */
import { z } from "zod";
import file from "./prices.json";

const price = z.strictObject({
  /** US dollars for one unit. */
  usd: z.number().positive(),
  unit: z.string().min(1),
  /** AWS's page with the current price. */
  page: z.string().startsWith("https://aws.amazon.com/"),
  /** Where it was found: see the note in the file. */
  seen: z.enum(["price list", "price page", "bill", "unverified"]),
  /** Year, month or day of the source. */
  seenDate: z
    .string()
    .regex(/^\d{4}(-\d{2}(-\d{2})?)?$/)
    .optional(),
  remark: z.string().optional(),
});

/** The file of prices. */
export const prices = z
  .strictObject({
    region: z.string(),
    currency: z.literal("USD"),
    /** The day of the last update. */
    date: z.iso.date(),
    note: z.string(),
    prices: z.record(z.string(), price),
  })
  .parse(file);

/** One price. */
export type Price = z.infer<typeof price>;

/** The price of an id; undefined if the file has none. */
export function priceOf(id: string): Price | undefined {
  return Object.hasOwn(prices.prices, id) ? prices.prices[id] : undefined;
}
