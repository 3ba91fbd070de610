/**
 * Zod in its small form, with its English messages: what of it a file doesn't use, the bundler leaves out, which saves
 * each handler's archive 18 KB at least.
 *
 *     import * as z from "../survey/zod";
 */
import { en } from "zod/locales";
import { config } from "zod/mini";

config(en());

export * from "zod/mini";
export { $ZodError as ZodError } from "zod/v4/core";
