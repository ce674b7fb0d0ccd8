// The world of most tests: a Seam with one tenant, two members, the local model, simulated models with a pace and with
// faults, and a scripted one. It starts once; each test gets a browser context of its own, signed in as Ada.
import { test as base, expect, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { ScriptedModel } from './scripted_model';
import { Seam } from './server';

export { expect } from '@playwright/test';

export const ADA = { email: 'ada@acme.test', password: 'correct horse battery' };
export const BOB = { email: 'bob@acme.test', password: 'battery horse correct' };
const OPERATOR = { SEAM_OPERATOR_EMAIL: 'operator@seam.test', SEAM_OPERATOR_PASSWORD: 'operate this seam' };

/** 120 words at 30 a second: an answer long enough to leave, stop, or join. */
export const SLOW_WORDS = 120;

function resources(scripted: ScriptedModel): string {
  const simulated = (name: string, options: string, model = name) => `
[[provider]]
name = "${name}"
kind = "simulated"
timeout_ms = 2000
max_retries = 0
options = { ${options} }

[[model]]
name = "${name}"
targets = [{ provider = "${name}", model = "${model}", weight = 1 }]

[[price]]
provider = "${name}"
model = "${model}"
input = "1.00"
output = "2.00"
effective_from = "2026-01-01T00:00:00Z"
`;
  return `
[[tenant]]
name = "acme"

[[user]]
tenant = "acme"
email = "${ADA.email}"
role = "admin"
password_env = "ADA_PASSWORD"

[[user]]
tenant = "acme"
email = "${BOB.email}"
role = "member"
password_env = "BOB_PASSWORD"

[[provider]]
name = "scripted"
kind = "openai"
base_url = "${scripted.baseUrl}"
api_key = "scripted-key"
timeout_ms = 5000

[[model]]
name = "scripted"
targets = [{ provider = "scripted", model = "scripted", weight = 1 }]
${simulated('slow', `tokens_per_second = 30.0, tokens = ${SLOW_WORDS}, first_token_ms = 300`)}
${simulated('quick', 'tokens_per_second = 400.0, tokens = 24')}
${simulated('cut', 'tokens_per_second = 100.0, tokens = 24', 'sim-cut')}
${simulated('broken', 'tokens_per_second = 100.0, tokens = 24', 'sim-error')}
`;
}

export class World {
  constructor(
    readonly seam: Seam,
    readonly scripted: ScriptedModel,
  ) {}

  /** A browser of its own, not signed in. */
  async visitor(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
    return browser.newContext({ baseURL: this.seam.url, ...options });
  }

  #cookies?: Awaited<ReturnType<BrowserContext['storageState']>>;

  /** A browser signed in as Ada. All of them share one session, made through the sign-in page once. */
  async member(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<BrowserContext> {
    if (!this.#cookies) {
      const context = await this.visitor(browser);
      await signIn(await context.newPage(), ADA);
      this.#cookies = await context.storageState();
      await context.close();
    }
    return this.visitor(browser, { storageState: this.#cookies, ...options });
  }

  /** The next browser signs in anew. */
  forgetSession(): void {
    this.#cookies = undefined;
  }
}

/** What a test may expect the browser to complain about. */
export type Complaints = { expected: RegExp[]; seen: string[] };

/** Collects what a page must never do: errors on the console, exceptions, requests to anywhere but our server. */
export function watch(page: Page, complaints: Complaints, origin: string): void {
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.seen.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.seen.push(`exception: ${error.message}`));
  page.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(origin) && !/^(data|blob|about):/.test(url)) complaints.seen.push(`request to another host: ${url}`);
  });
}

export const test = base.extend<{ complaints: Complaints; visit: Page; chat: Page }, { world: World }>({
  world: [
    async ({}, use) => {
      const scripted = await ScriptedModel.start();
      const seam = Seam.prepare();
      seam.apply(resources(scripted), { ADA_PASSWORD: ADA.password, BOB_PASSWORD: BOB.password });
      await seam.start(OPERATOR);
      await use(new World(seam, scripted));
      await seam.remove();
      await scripted.stop();
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  complaints: async ({}, use) => {
    const complaints: Complaints = { expected: [], seen: [] };
    await use(complaints);
    const unexpected = complaints.seen.filter((seen) => !complaints.expected.some((pattern) => pattern.test(seen)));
    expect(unexpected, 'the page complained').toEqual([]);
  },

  /** A page of nobody in particular. */
  visit: async ({ world, browser, complaints }, use) => {
    const context = await world.visitor(browser);
    context.on('page', (page) => watch(page, complaints, world.seam.url));
    await use(await context.newPage());
    await context.close();
  },

  /** A page of Ada's. Further pages of its context are watched as well. */
  chat: async ({ world, browser, complaints }, use) => {
    const context = await world.member(browser);
    context.on('page', (page) => watch(page, complaints, world.seam.url));
    await use(await context.newPage());
    await context.close();
  },
});

/** Opens a path and waits until every control works. */
export async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await hydrated(page);
}

export async function hydrated(page: Page): Promise<void> {
  await expect(page.locator('body[data-hydrated]')).toBeAttached({ timeout: 20_000 });
}

export async function signIn(page: Page, who: { email: string; password: string }): Promise<void> {
  await open(page, '/login');
  await page.getByLabel('E-mail').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/chat');
  await hydrated(page);
}

export const composer = (page: Page) => page.getByRole('textbox', { name: 'Message', exact: true });
export const answers = (page: Page) => page.getByRole('article', { name: 'Answer' });
export const lastAnswer = (page: Page) => answers(page).last();
/** The words of an answer, without what stands under them. */
export const words = (page: Page) => lastAnswer(page).locator('.prose');
export const quietLine = (page: Page) => lastAnswer(page).getByRole('list', { name: 'About this answer' });
export const stopButton = (page: Page) => page.getByRole('button', { name: 'Stop' });

/** Sends a message, with a model if one is named, and waits until an answer has its place on the page. */
export async function send(page: Page, text: string, model?: string): Promise<void> {
  const before = await answers(page).count();
  if (model) await page.getByRole('combobox', { name: 'Model' }).selectOption(model);
  await composer(page).fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await expect(answers(page)).toHaveCount(before + 1);
}

/** Waits for the end of the answer in progress. */
export async function finished(page: Page, timeout = 45_000): Promise<void> {
  await expect(quietLine(page)).toBeVisible({ timeout });
  await expect(stopButton(page)).toBeHidden();
}

/** Waits until the answer in progress has at least so many characters, and gives them. */
export async function grownTo(page: Page, characters: number, timeout = 30_000): Promise<string> {
  await expect(async () => expect((await words(page).innerText()).length).toBeGreaterThanOrEqual(characters)).toPass({ timeout, intervals: [50] });
  return words(page).innerText();
}
