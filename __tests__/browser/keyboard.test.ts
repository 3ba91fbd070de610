import type { Browser } from "playwright-core";
import { camelCase, features, measures } from "../../survey/feature-contract";
import { openBrowser } from "../web/browser";
import { WebsiteServer } from "../web/website-server";
import { answered } from "./states";
import { Visit } from "./visit";

let website: WebsiteServer;
let browser: Browser;
let visit: Visit;

beforeAll(async () => {
  website = await WebsiteServer.start();
  browser = await openBrowser();
});

afterAll(async () => {
  await browser.close();
  await website.stop();
});

beforeEach(async () => {
  website.reset();
  visit = await Visit.begin(browser, website.address, { viewport: { width: 390, height: 700 } });
});

afterEach(async () => {
  await visit.end();
});

/** Where the focus is. */
interface Stop {
  /** The name or the text of what has it. */
  readonly name: string;
  /** Whether all of it is in the window, so that people see where they are. */
  readonly inSight: boolean;
  /** Whether something around it is drawn only now. */
  readonly marked: boolean;
}

/** Presses a key and says where the focus is then. */
async function press(key: string): Promise<Stop> {
  await visit.page.keyboard.press(key);
  return visit.page.evaluate<Stop>(`(async () => {
    // The window follows the focus when it is drawn next.
    for (let frame = 0; frame < 2; frame += 1) await new Promise(requestAnimationFrame);
    const active = document.activeElement;
    const shown = active.matches("[type=radio]") ? active.closest("label") : active;
    const box = shown.getBoundingClientRect();
    const { outlineStyle, outlineWidth } = getComputedStyle(shown);
    return {
      name: active.name || active.textContent.trim(),
      inSight: box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight + 0.5 && box.right <= innerWidth + 0.5,
      marked: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
    };
  })()`);
}

/** Goes on with the key until something has the focus, and holds every stop on the way to be seen. */
async function goTo(name: string, key: "Tab" | "Shift+Tab" = "Tab"): Promise<string[]> {
  const way: string[] = [];
  for (let step = 0; step < 60; step += 1) {
    const stop = await press(key);
    way.push(stop.name);
    expect(stop).toEqual({ name: stop.name, inSight: true, marked: true });
    if (stop.name === name) {
      return way;
    }
  }
  throw new Error(`The key ${key} never comes to ${name}, but to: ${way.join(", ")}`);
}

test("the first stop leads past the navigation, to the content", async () => {
  await visit.open("/");
  expect(await goTo("Skip to the content")).toEqual(["Skip to the content"]);
  await visit.page.keyboard.press("Enter");
  expect(await visit.page.evaluate("document.activeElement.id")).toBe("content");
  expect((await press("Tab")).name).not.toBe("Calculator");
});

test("with the keyboard alone: get an age, correct a value, share and delete the animal", async () => {
  await visit.context.grantPermissions(["clipboard-write"], { origin: website.address });
  await visit.open("/");
  const { keyboard } = visit.page;
  await goTo("sex");
  await keyboard.press("ArrowDown");
  for (const { name, example } of measures) {
    expect(await goTo(camelCase(name))).toEqual([camelCase(name)]);
    await keyboard.type(name === "length" ? "9999" : String(example));
  }
  await goTo("Calculate the age");
  await keyboard.press("Enter");

  // The summary takes the focus; its link leads into the field.
  await visit.page.locator("#age-form .summary:focus").waitFor();
  await goTo("Length must be between 10 and 250\u00a0mm: 9999 is not");
  await keyboard.press("Enter");
  expect(await visit.hasFocus(visit.page.locator('[name="length"]'))).toBe(true);
  await keyboard.press("ControlOrMeta+a");
  await keyboard.type("91");
  await keyboard.press("Enter");
  await answered(visit.page);
  expect(JSON.parse(website.calls.at(-1)!.body)).toMatchObject({ sex: "M", length: 91 });

  await goTo("Copy a link to this answer");
  await keyboard.press("Enter");
  await visit.page.locator(".shared").getByText("copied").waitFor();
  await goTo("Clear the list");
  await keyboard.press("Space");
  await visit.page.locator("#history").waitFor({ state: "hidden" });
  // What was pressed is gone: the focus is not lost with it.
  expect(await visit.page.evaluate("document.activeElement.id")).toBe("calculator");
});

test("with the keyboard alone: write a message, without reaching the field for programs", async () => {
  await visit.open("/");
  const { keyboard } = visit.page;
  await goTo("name");
  await keyboard.type("Ada Søm");
  expect(await goTo("email")).toEqual(["email"]);
  await keyboard.type("ada@example.com");
  expect(await goTo("message")).toEqual(["message"]);
  await keyboard.type("Hello");
  expect(await goTo("Send the message")).toEqual(["Send the message"]);
  await keyboard.press("Enter");
  await visit.page.locator("#contact-form .good").waitFor();
  expect(website.messages).toHaveLength(1);
});

test("the focus goes through a form in the order in which it is read, and back the same way", async () => {
  await visit.open("/");
  const names = features.map(({ name }) => camelCase(name));
  const there = (await goTo("Calculate the age")).filter((name) => names.includes(name));
  expect(there).toEqual(names);
  const back = (await goTo("sex", "Shift+Tab")).filter((name) => names.includes(name));
  expect(back).toEqual([...names].reverse());
});

test.each(["/how-to-measure.html", "/about-the-model.html", "/privacy.html"])(
  "every focus on %s is visible, from the first to the last",
  async (path) => {
    await visit.open(path);
    await visit.page.waitForLoadState("networkidle");
    const way = await goTo("Privacy");
    expect(way.length).toBeGreaterThan(5);
  },
);
