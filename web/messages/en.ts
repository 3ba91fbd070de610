/**
 * All texts of the website in English. Another language is another file with the same two exports, typed by this one's
 * `PageMessages` and `ScriptMessages`.
 *
 * `pages` goes into the pages, `script` into the script, so that neither contains the other's texts. Lines of `pages`
 * may contain `**strong**` and `[links](/address)`; lines of `script` are plain text. A number and its unit are joined
 * by a no-break space (`\u00a0`), so that no line ends between them.
 */
import type { MeasureCounts } from "../counts";

const decimal = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 });
const tenths = new Intl.NumberFormat("en-GB", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const date = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });

const numerals = [
  "no",
  "one",
  "two",
  "three",
  "four",
  "five",
  "six",
  "seven",
  "eight",
  "nine",
  "ten",
  "eleven",
  "twelve",
];
/** A count in a sentence. */
const inWords = (count: number): string => numerals[count] ?? whole.format(count);
/** A count at the beginning of a sentence. */
const atStart = (count: number): string => inWords(count).replace(/^./, (letter) => letter.toUpperCase());

/** The texts of the pages. */
export const pages = {
  /** Language tag of the pages (BCP 47). */
  language: "en-GB",
  /** Open Graph's form of the language. */
  locale: "en_GB",
  site: "ACME Abalone",
  owner: "ACME Fishing Logistics",
  skip: "Skip to the content",
  navigation: {
    label: "Pages",
    calculator: "Calculator",
    measuring: "How to measure",
    model: "About the model",
    contact: "Contact",
    privacy: "Privacy",
  },
  footer: {
    label: "About this site",
    data:
      "Measures and the age rule follow the [Abalone data set](https://archive.ics.uci.edu/dataset/1/abalone) of the UCI Machine Learning Repository " +
      "(Nash and others, 1994; [CC\u00a0BY\u00a04.0](https://creativecommons.org/licenses/by/4.0/)).",
  },
  units: {
    mm: { title: "Lengths, with a caliper", inWords: "millimetres" },
    g: { title: "Weights, on a scale", inWords: "grams" },
  },
  optional: "optional",
  range: (minimum: number, maximum: number, unit: string, step: number) =>
    `${minimum} to ${maximum}\u00a0${unit}, to the nearest\u00a0${step}.`,
  drawing: {
    title: "Where to measure: the length along the shell, the diameter across it, the height from the foot to the top.",
    length: "Length",
    diameter: "Diameter",
    height: "Height",
  },
  index: {
    title: "Abalone Age Calculator",
    description: ({ lengths, weights }: MeasureCounts) =>
      `Estimate the age of an abalone from its sex, ${inWords(lengths)} lengths and ${inWords(weights)} weights, without cutting the shell.`,
    heading: "How old is this abalone?",
    lead: "An abalone’s age is written in its shell, but to count the rings somebody has to cut and stain it. If you open the animal anyway, with a caliper and a scale you get an estimate.",
    form: "Measures",
    noScript:
      "This page needs JavaScript, which is switched off in your browser. You can read [how to measure](/how-to-measure.html) without it.",
    unready: "A part of this page did not load. Load the page again when you are online.",
    calculate: "Calculate the age",
    examples: "No animal to measure? Try one:",
    example: "grown",
    young: "young",
    old: "old",
    answer: "Answer",
    empty: "Enter the measures to see the age here.",
    plot: "Among other animals",
    share: "Copy a link to this answer",
    history: "Your animals",
    historyNote: "Stored on this device only. Nobody else can see them.",
    clear: "Clear the list",
    contact: "Write to us",
    contactLead: [
      "Do you have a question, or an estimate that looks wrong? We read every message and answer by e-mail.",
    ],
    contactKept: (days: number) =>
      `We keep your message for ${whole.format(days)}\u00a0days and use your address only to answer you. [More\u00a0on\u00a0privacy](/privacy.html).`,
    name: "Name",
    email: "E-mail address",
    message: "Message",
    /** The field that people don't see. */
    trap: "Leave this empty",
    send: "Send the message",
    contactNoScript: "The form needs JavaScript, which is switched off in your browser.",
  },
  measuring: {
    title: "How to measure",
    description: ({ lengths, weights }: MeasureCounts) =>
      `How to measure and weigh an abalone for the Age Calculator: sex, ${inWords(lengths)} lengths, ${inWords(weights)} weights.`,
    heading: "How to measure an abalone",
    lead: ({ values }: MeasureCounts) =>
      `${atStart(values)} values, ten minutes. You need a caliper, a scale that shows tenths of a gram, and a knife.`,
    before: {
      heading: "Before you begin",
      lines: ({ parts }: MeasureCounts) => [
        `${atStart(parts)} of the values are weights of parts, so measure only an animal that you open anyway. Follow the bag and size limits of your waters.`,
        "Rinse off sand and weed, and let the water run out of the shell: both add weight.",
      ],
    },
    sex: {
      heading: "The sex",
      lines: [
        "Turn the animal over and push the foot aside, away from the shell’s right edge. The gonad lies there like a small horn.",
      ],
      choices: {
        F: "The gonad is green, from grey green to nearly black.",
        M: "The gonad is cream, from white to beige.",
        I: "The gonad has no colour yet: the animal is too young.",
      },
      after: [
        "After spawning the colour fades. If you are not sure, choose the more likely sex and try the other one too: the age hardly changes.",
      ],
    },
    lengths: {
      heading: ({ lengths }: MeasureCounts) => `${atStart(lengths)} lengths, in millimetres`,
      lines: [
        "Keep the jaws of the caliper parallel, and measure to half a millimetre. A tape over the shell gives too large a value.",
      ],
    },
    weights: {
      heading: ({ weights }: MeasureCounts) => `${atStart(weights)} weights, in grams`,
      lines: ["Weigh in this order, and set the scale to zero before each."],
      after: ["Meat, gut and shell together weigh less than the whole animal: blood and water are lost in between."],
    },
    numbers: {
      heading: "Entering the values",
      lines: [
        "Use a comma or a point: 20,2 and 20.2 are the same.",
        "The calculator asks you to check two measures that don’t fit together, such as a gut that is heavier than the whole animal. Usually it is a typing error.",
      ],
    },
    action: "To the calculator",
  },
  model: {
    title: "About the model",
    description: "What the Abalone Age Calculator knows, how good its estimates are, and where they are worse.",
    heading: "About the model",
    lead: "A statistical model that has learnt how the measures and the rings of thousands of abalone are related. It has never seen your animal.",
    how: {
      heading: "What it does",
      lines: ({ values }: MeasureCounts, yearsBeyondRings: number) => [
        `From the ${inWords(values)} measures it estimates the number of growth rings, of which a shell gets about one a\u00a0year. The age in years is the rings plus\u00a0${yearsBeyondRings}, the rule of the authors of the data set [below](#licence).`,
        "Each estimate has a range. It is made so that 90 of 100 animals have their true age within it. **Look at the range, not only at the one number.**",
      ],
    },
    quality: {
      heading: "How good it is",
      lines: ["These figures are measured on animals that the model didn’t learn from. They change with every model."],
      loading: "Loading the figures…",
      noScript: "The figures are loaded with JavaScript. Without it, read them as data: [model.json](/model.json).",
    },
    limits: {
      heading: "Where it is worse",
      lines: [
        "**Old animals.** They hardly grow any more, so their measures show little of their age: most estimates are too low.",
        "**Other species, other waters.** How fast abalone grow depends on species, place and food, and the model knows only animals like those it learnt from. The public survey, and the simulator that follows it, are of blacklip abalone (Haliotis rubra) of Tasmania.",
        "**Real animals, if the model learnt from simulated ones.** The figures above show whether it did. If so, they show how well the model knows the simulator.",
        "**Measures that don’t fit together, and lengths that no surveyed animal had.** The calculator warns you, and shows an age without a range.",
        "Where a rule asks for a count of the rings, an estimate does not replace it.",
      ],
    },
    farming: {
      heading: "Farming age",
      lines: (years: number, source: string, address: string) => [
        `The calculator compares the age with ${years}\u00a0years, the age at which farms in Tasmania harvest abalone at the latest: half a year in the nursery and up to three years of growth ([${source}](${address})). Animals in the wild grow more slowly than on farms.`,
        "Reached “very likely” means that the whole range is above this age, “not yet” that it is below, “perhaps” that this age is within the range.",
      ],
    },
    licence: {
      heading: "Data and licence",
      lines: [
        "The figures above show which animals the model learnt from, and under which licence. What is measured, the age rule and the simulator follow the [Abalone data set](https://archive.ics.uci.edu/dataset/1/abalone) by Warwick Nash, Tracy Sellers, Simon Talbot, Andrew Cawthorn and Wes Ford (1994), " +
          "under [CC\u00a0BY\u00a04.0](https://creativecommons.org/licenses/by/4.0/). Lengths and weights are given in millimetres and grams here.",
      ],
    },
  },
  privacy: {
    title: "Privacy",
    description: "What the Abalone Age Calculator stores, for how long, and what it does not do.",
    heading: "Privacy",
    lead: "No cookies, no counting of visitors, nothing from third parties.",
    parts: (days: number, recordDays: number, mailed: boolean) => [
      {
        heading: "The measures you type",
        lines: [
          "They are sent to our model, which knows nothing about you. We store a sample of the requests (measures and answers, without addresses) to see when visitors ask about animals that the model does not know.",
        ],
      },
      {
        heading: "The list of your animals",
        lines: [
          "Your browser stores it on your device until you clear it on the [calculator’s page](/#history). It is never sent to us.",
        ],
      },
      {
        heading: "Links that you share",
        lines: [
          "The measures are in the part of the link after the #. Browsers don’t send that part to any server: only people who open the link see them.",
        ],
      },
      {
        heading: "Messages to us",
        lines: [
          `Name, e-mail address and message are stored encrypted${mailed ? " and mailed to us" : ""}, so that we can answer. They are deleted after ${whole.format(days)}\u00a0days, from the backups 35\u00a0days later at the latest.${mailed ? " We delete the mail when you have your answer." : ""} They are never written to a log, and the programs that train models can’t read them.`,
          "To stop floods of messages, we count messages per hour, by a code that is made from the sender’s network address with a key. The key is replaced every day, so the counts mean nothing after that day. They are then deleted.",
          "If you want a message deleted earlier, write to us with its number.",
        ],
      },
      {
        heading: "The server’s records",
        lines: [
          "Like every web server, ours records the address of each request, the time and the page, to find faults and abuse. " +
            `They are deleted after ${whole.format(recordDays)}\u00a0days at the latest, and never passed on.`,
        ],
      },
    ],
  },
  notFound: {
    title: "Page not found",
    heading: "This page does not exist",
    lines: ["The address may have a typing error, or the page has moved."],
    action: "Go to the Age Calculator",
  },
  forbidden: {
    title: "Not allowed",
    heading: "This page can’t be shown",
    lines: ["The request was refused. If you followed one of our links, please [write to us](/#contact)."],
    action: "Go to the Age Calculator",
  },
};

/** The texts of the pages, the same in every language. */
export type PageMessages = typeof pages;

const joined = (parts: readonly string[]): string => parts.filter((part) => part !== "").join(", ");

/** The texts of the script. */
export const script = {
  number: (value: number) => decimal.format(value),
  /** Always with one decimal, for columns of numbers. */
  tenths: (value: number) => tenths.format(value),
  /** Day and month are not separated by a line end. */
  date: (value: Date) => date.format(value).replace(" ", "\u00a0"),
  quantity: (value: string, unit: string) => `${value}\u00a0${unit}`,
  form: {
    between: (minimum: string, maximum: string, unit: string) => `between ${minimum} and ${maximum}\u00a0${unit}`,
    choose: (label: string) => `Choose the ${label.toLowerCase()}`,
    enterMeasure: (label: string, unit: string) => `Enter the ${label.toLowerCase()} in\u00a0${unit}`,
    notANumber: (label: string, expected: string, value: string) =>
      `${label} must be a number ${expected}: “${value}” is not`,
    outside: (label: string, expected: string, value: string) => `${label} must be ${expected}: ${value} is not`,
    enter: (label: string) => `Enter your ${label.toLowerCase()}`,
    tooLong: (label: string, most: number, typed: number) =>
      `${label}: ${whole.format(most)} characters at most, these are ${whole.format(typed)}`,
    email: "Enter an address like name@example.com",
    refused: (label: string | undefined, expected: string) => `${label ?? "The request"} must be ${expected}`,
    faults: (count: number) => (count === 1 ? "One thing to correct" : `${count} things to correct`),
    failed: "That did not work",
    unreadable: "The server’s answer can’t be read. Nothing you entered is lost: please try again later.",
    doubts: "Please check: hardly any abalone has such measures. You can still calculate the age.",
    above: (lesser: string, value: string, greater: string, limit: string) =>
      `The ${lesser.toLowerCase()} (${value}) is above the ${greater.toLowerCase()} (${limit}).`,
    partsAbove: (parts: readonly string[], sum: string, whole: string, limit: string) =>
      `${new Intl.ListFormat("en-GB").format(parts.map((part, index) => (index === 0 ? part : part.toLowerCase())))} together (${sum}) are above the ${whole.toLowerCase()} (${limit}).`,
    unlikelyWeight: (weight: string, length: string, least: string, most: string) =>
      `A whole weight of ${weight} does not fit a length of ${length}: animals of this length weigh ${least}\u00a0to\u00a0${most}.`,
  },
  failure: {
    again: (seconds: number | undefined) => {
      if (seconds === undefined) {
        return "in a moment";
      }
      return seconds < 120 ? `in ${seconds}\u00a0seconds` : `in ${whole.format(Math.ceil(seconds / 60))}\u00a0minutes`;
    },
    tooLong: "That is too much text to send. Please shorten it.",
    tooMany: (again: string) => `Too many requests are coming in at once. Please try again ${again}.`,
    unavailable: (again: string) =>
      `The service can’t answer right now. Nothing you entered is lost: please try again ${again}.`,
    broken: (status: number) =>
      `Something went wrong on our side (HTTP ${status}). Nothing you entered is lost: please try again later.`,
    late: "No answer came in time. Nothing you entered is lost: please try again.",
    offline: "There is no connection to the server. Check your signal and try again: nothing you entered is lost.",
  },
  answer: {
    calculating: "Calculating…",
    failed: "No age yet: see the messages in the form.",
    corrected: "No age yet: press “Calculate the age”.",
    outdated: "The measures have changed. Calculate again.",
    unit: "years old",
    range: (share: string, low: string, high: string) =>
      `Most likely between ${low} and ${high}\u00a0years: of 100\u00a0such ranges, about ${share} hold the true age.`,
    rings: (count: string) => `About ${count}\u00a0growth rings.`,
    doubtful:
      "But hardly any abalone has such measures: check those that the form names. The model has never seen such an animal, so its error is unknown.",
    beyond: (shortest: string, longest: string) =>
      `But the animals that the model knows are ${shortest} to ${longest}\u00a0mm long. For others its error is unknown.`,
    farming: {
      reached: (years: string) => `Farming age (${years}\u00a0years): very likely reached.`,
      perhaps: (years: string) => `Farming age (${years}\u00a0years): perhaps reached.`,
      notYet: (years: string) => `Farming age (${years}\u00a0years): not reached yet.`,
    },
    farmingMark: "farming age",
    scaleEnd: (years: number) => `${years}\u00a0years`,
    model: (name: string, trained: string | undefined) =>
      `Estimated by the model ${name}${trained === undefined ? "" : `, trained on ${trained}`}.`,
    /** On systems with a dialogue for it. */
    share: "Share this answer",
    shared: "The link is copied.",
    notShared: "Copy this link:",
  },
  plot: {
    /** `simulated` of the data's `rows` are simulated animals. */
    kind: (simulated: number, rows: number) => {
      if (simulated === 0) {
        return "surveyed";
      }
      return simulated < rows ? "surveyed or simulated" : "simulated";
    },
    simulated: (simulated: number, rows: number) =>
      simulated < rows
        ? `${whole.format(simulated)} of the ${whole.format(rows)} animals are simulated: nobody has measured them.`
        : "These animals are simulated: nobody has measured them.",
    title: (kind: string) => `Length and age of the ${kind} animals, and of yours`,
    description: (kind: string, length: string, years: string, low: string, high: string) =>
      `Each dot is a ${kind} animal: longer ones are older, and the longer they are, the more their ages differ. Yours, at ${length} mm, is at ${years} years, with a range from ${low} to ${high}.`,
    length: "Length in mm",
    age: "Age in years",
    yours: "yours",
    farming: "farming age",
    legend: (kind: string) => [
      `a ${kind} animal`,
      "nine in ten of them",
      "half of them are older",
      "yours, with its range",
    ],
    neighbours: (kind: string, from: string, to: string, rows: string, low: string, high: string, median: string) =>
      `Of the ${rows} ${kind} animals of ${from} to ${to}\u00a0mm, nine in ten are between ${low} and ${high}\u00a0years old, half of them older than\u00a0${median}.`,
    missing: "The picture of other animals is not available right now. The answer does not need it.",
  },
  history: {
    entry: (sex: string, length: string, weight: string) => joined([sex, length, weight]),
    age: (years: string, low: string, high: string) => `${years}\u00a0years (${low}\u00a0to\u00a0${high})`,
    doubtful: (years: string) => `${years}\u00a0years, doubtful`,
    cleared: "Your list is cleared.",
  },
  link: {
    read: "These measures came with the link.",
    incomplete: (labels: string) => `The link is incomplete. Please enter: ${labels.toLowerCase()}.`,
    refused: (labels: string) => `Some values in the link can’t be used. Please enter: ${labels.toLowerCase()}.`,
  },
  contact: {
    sending: "Sending…",
    sent: (id: string) => `Thank you, your message has arrived. Its number is ${id}.`,
  },
  figures: {
    missing: "The figures are not available right now. Please try again later.",
    from: (from: string, to: string, confidence: string) => `${from} to ${to} with ${confidence}\u00a0% confidence`,
    meanAbsoluteError: "Average error of an estimate",
    rmse: "Average error that counts large errors more (root mean squared error)",
    years: (value: string) => `${value}\u00a0years`,
    coverage: (confidence: string) => `True age within the range (promised: ${confidence}\u00a0%)`,
    percent: (value: string) => `${value}\u00a0%`,
    learnt: "Learnt from",
    origin: (rows: number, source: string, licence: string) =>
      `${whole.format(rows)}\u00a0of these animals: ${source}. Licence: ${licence}.`,
    tested: "Tested on",
    all: "All animals of the data",
    others: "including those that set the range",
    animals: (rows: number) => `${whole.format(rows)}\u00a0animals`,
    trained: "Trained on",
    name: "Name",
    bySex: "The range, by sex",
    byThird: "The range, by estimated age in years",
    group: "Animals",
    rows: "Tested",
    share: "True age within the range",
    third: (from: string, to: string) => `${from} to\u00a0${to}`,
    limits: "What else was found",
  },
};

/** The texts of the script, the same in every language. */
export type ScriptMessages = typeof script;
