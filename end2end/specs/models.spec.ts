// The gateway's consoles: the operator orders targets, tries models and switches providers; a tenant sees what answers it.
import { mkdirSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { expect, test, watch, type Complaints, type World } from '../support/world';

const PICTURES = 'test-results/pictures';
/** A model of three places, the first of which always fails, and one that nobody can answer. */
const RESOURCES = `
[[provider]]
name = "keyless"
kind = "anthropic"
region = "eu"
zero_retention = true

[[model]]
name = "ordered"
targets = [
  { provider = "broken", model = "sim-error", weight = 1 },
  { provider = "quick", model = "quick", weight = 1 },
  { provider = "slow", model = "slow", weight = 1 },
]

[[model]]
name = "shared/out"
strategy = "weighted"
targets = [{ provider = "quick", model = "quick", weight = 3 }, { provider = "slow", model = "slow", weight = 1 }]

[[model]]
name = "unready"
targets = [{ provider = "keyless", model = "some-model-with-quite-a-long-name-20260101", weight = 1 }]
`;

test.beforeAll(({ world }) => {
  mkdirSync(PICTURES, { recursive: true });
  world.seam.apply(RESOURCES);
});

async function signedIn(page: Page): Promise<void> {
  await page.goto('/login?next=/operator/models');
  await page.getByLabel('E-mail').fill('operator@seam.test');
  await page.getByLabel('Password').fill('operate this seam');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Models' })).toBeVisible();
}

async function operator(
  world: World,
  browser: Browser,
  complaints: Complaints,
  screen: Parameters<Browser['newContext']>[0] = {},
): Promise<[BrowserContext, Page]> {
  const context = await world.visitor(browser, screen);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await signedIn(page);
  return [context, page];
}

const model = (page: Page, name: string) => page.getByRole('region', { name, exact: true });
const order = (page: Page, name: string) => model(page, name).locator('.place-route').allInnerTexts();
const place = (page: Page, name: string, route: string) => model(page, name).getByRole('listitem').filter({ has: page.getByText(route, { exact: true }) });
const trial = (page: Page) => page.getByRole('status', { name: 'Test request' });

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'light'],
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['phone', { width: 390, height: 844 }, 'dark'],
] as const) {
  test(`${screen}, ${colorScheme}: targets are moved and a model is tried`, async ({ world, browser, complaints }) => {
    world.seam.apply(RESOURCES);
    const [context, page] = await operator(world, browser, complaints, { viewport, colorScheme });
    await expect(async () => {
      await page.reload();
      expect(await order(page, 'ordered')).toEqual(['broken/sim-error', 'quick/quick', 'slow/slow']);
    }).toPass();
    await expect(page.getByRole('button', { name: 'Move broken/sim-error up in ordered' })).toBeDisabled();
    await page.getByRole('button', { name: 'Send a test request to ordered' }).click();
    await expect(trial(page)).toContainText('ordered answered');
    await expect(trial(page)).toContainText('simulated:');
    await expect(trial(page)).toContainText('Answered by');
    await expect(trial(page)).toContainText('$0.00');
    await expect(trial(page).getByRole('listitem')).toHaveText([
      "broken/sim-error failed: had a fault of its own (failed)",
      'quick/quick succeeded',
    ]);
    await fits(page, 'a model tried');
    await accessible(page, 'a model tried');
    await page.screenshot({ path: `${PICTURES}/model-tried-${screen}-${colorScheme}.png`, fullPage: true });
    await expect(place(page, 'ordered', 'quick/quick')).toContainText(/Answered\s*\d+ % of \d/);
    await expect(place(page, 'ordered', 'broken/sim-error')).toContainText(/Last error\s*failed had a fault of its own/);

    await model(page, 'ordered').screenshot({ path: `${PICTURES}/model-health-${screen}-${colorScheme}.png` });

    // What is told of a test is told once.
    await page.reload();
    await expect(trial(page)).toHaveCount(0);

    await page.getByRole('button', { name: 'Move quick/quick up in ordered' }).click();
    await expect(page.getByRole('button', { name: 'Move quick/quick up in ordered' })).toBeDisabled();
    expect(await order(page, 'ordered')).toEqual(['quick/quick', 'broken/sim-error', 'slow/slow']);
    await expect(model(page, 'ordered')).toBeInViewport();
    // By keyboard one goes on where one was.
    await page.keyboard.press('Tab');
    await expect(page.getByRole('button', { name: 'Send a test request to ordered' })).toBeFocused();
    await page.getByRole('button', { name: 'Move broken/sim-error down in ordered' }).press('Enter');
    await expect(page.getByRole('button', { name: 'Move broken/sim-error down in ordered' })).toBeDisabled();
    expect(await order(page, 'ordered')).toEqual(['quick/quick', 'slow/slow', 'broken/sim-error']);
    await page.goto('/operator/audit?q=model.reorder');
    await expect(page.getByRole('row').nth(1)).toContainText('operator@seam.test');
    await expect(page.getByRole('row').nth(1)).toContainText('slow/slow×1, broken/sim-error×1');
    await context.close();
  });
}

test('by keyboard alone: from the address to a test request that fails, with the reason', async ({ world, browser, complaints }) => {
  const [context, page] = await operator(world, browser, complaints);
  const button = page.getByRole('button', { name: 'Send a test request to unready' });
  for (let pressed = 0; pressed < 120 && !(await button.evaluate((one) => one === document.activeElement)); pressed++) {
    await page.keyboard.press('Tab');
  }
  await expect(button).toBeFocused();
  await expect(button).toBeInViewport();
  await page.keyboard.press('Enter');
  await expect(trial(page)).toContainText('unready did not answer');
  await expect(trial(page)).toContainText('this provider has no API key yet');
  await accessible(page, 'a test request that failed');
  await page.screenshot({ path: `${PICTURES}/model-not-tried.png` });
  await context.close();
});

test('two operators: the second is told that the targets have changed', async ({ world, browser, complaints }) => {
  complaints.expected.push(/status of 409/);
  world.seam.apply(RESOURCES);
  const [context, first] = await operator(world, browser, complaints);
  await expect(async () => {
    await first.reload();
    expect((await order(first, 'ordered'))[0]).toBe('broken/sim-error');
  }).toPass();
  const second = await context.newPage();
  watch(second, complaints, world.seam.url);
  await second.goto('/operator/models');
  await first.getByRole('button', { name: 'Move slow/slow up in ordered' }).click();
  await expect(first.getByRole('button', { name: 'Move slow/slow down in ordered' })).toBeEnabled();
  await second.getByRole('button', { name: 'Move slow/slow up in ordered' }).click();
  await expect(second.getByText('The targets of the model “ordered” have changed meanwhile')).toBeVisible();
  await context.close();
});

test('health is looked at anew without anybody’s doing', async ({ world, browser, complaints }) => {
  const [context, page] = await operator(world, browser, complaints);
  const requests = async () => Number((await place(page, 'shared/out', 'slow/slow').innerText()).match(/% of (\d+)/)?.[1] ?? 0);
  const before = await requests();
  const other = await context.newPage();
  watch(other, complaints, world.seam.url);
  await other.goto('/operator/models');
  await other.getByRole('button', { name: 'Send a test request to slow' }).click();
  await expect(trial(other)).toContainText('slow answered');
  await page.bringToFront();
  await expect.poll(requests, { timeout: 15_000 }).toBeGreaterThan(before);
  // Nor was the page taken away under its reader.
  await expect(trial(other)).toBeVisible();
  await context.close();
});

test('a provider is switched off and on again, and a tenant sees what that means', async ({ chat: ada, world, browser, complaints }) => {
  const [context, page] = await operator(world, browser, complaints);
  await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Providers' }).click();
  const cut = page.getByRole('region', { name: 'cut', exact: true });
  await expect(cut).toContainText('sim-cut');
  await expect(page.getByRole('region', { name: 'scripted', exact: true })).toContainText(/Has a key\s*yes/);
  await expect(page.locator('body')).not.toContainText('scripted-key');
  await cut.getByRole('button', { name: 'Switch off cut' }).press('Enter');
  await expect(page.getByText('The model cut has no other place to be answered')).toBeVisible();
  await accessible(page, 'the question before a provider is switched off');
  await page.screenshot({ path: `${PICTURES}/provider-question.png` });
  await page.getByRole('button', { name: 'Switch off', exact: true }).press('Enter');
  await expect(cut.getByRole('button', { name: 'Switch on cut' })).toBeVisible();
  await expect(cut).toContainText('Not asked: it is switched off');

  await ada.goto('/admin/models');
  await expect(ada.getByRole('row', { name: /^cut/ })).toContainText('It is switched off by whoever runs this platform.');
  await expect(ada.getByRole('row', { name: /^unready/ })).toContainText('It is not set up yet');
  await expect(ada.getByRole('row', { name: /^quick/ })).toContainText('answers');
  await expect(ada.getByRole('main')).not.toContainText('keyless');
  for (const [width, colorScheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [320, 'dark']] as const) {
    await ada.setViewportSize({ width, height: 844 });
    await ada.emulateMedia({ colorScheme });
    // Colours change over a moment.
    await ada.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished.catch(() => null))));
    await fits(ada, `a tenant’s models at ${width}`);
    await accessible(ada, `a tenant’s models at ${width}, ${colorScheme}`);
    await ada.screenshot({ path: `${PICTURES}/tenant-models-${width}-${colorScheme}.png`, fullPage: true });
  }

  await cut.getByRole('button', { name: 'Switch on cut' }).click();
  await page.getByRole('button', { name: 'Switch on', exact: true }).click();
  await expect(cut.getByRole('button', { name: 'Switch off cut' })).toBeVisible();
  await page.goto('/operator/audit?q=provider.');
  await expect(page.getByRole('row').nth(1)).toContainText('provider.enable');
  await expect(page.getByRole('row').nth(2)).toContainText('provider.disable');
  // A page that is open is told as well.
  await expect(ada.getByRole('row', { name: /^cut/ })).toContainText('answers', { timeout: 15_000 });
  await context.close();
});

test('without JavaScript targets are moved, models tried and providers switched as well', async ({ world, browser }) => {
  world.seam.apply(RESOURCES);
  const context = await world.visitor(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await signedIn(page);
  await expect(async () => {
    await page.reload();
    expect((await order(page, 'ordered'))[0]).toBe('broken/sim-error');
  }).toPass();
  await page.getByRole('button', { name: 'Move slow/slow up in ordered' }).click();
  await expect(page).toHaveURL(/#model-ordered$/);
  expect(await order(page, 'ordered')).toEqual(['broken/sim-error', 'slow/slow', 'quick/quick']);
  await page.getByRole('button', { name: 'Send a test request to quick' }).click();
  await expect(trial(page)).toContainText('quick answered');
  await page.goto('/operator/providers');
  for (const act of ['Switch off', 'Switch on']) {
    await page.getByRole('button', { name: `${act} cut` }).click();
    await page.getByRole('button', { name: act, exact: true }).click();
    await expect(page).toHaveURL(/#provider-cut$/);
  }
  await expect(page.getByRole('button', { name: 'Switch off cut' })).toBeVisible();
  await context.close();
});

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'light'],
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['phone', { width: 390, height: 844 }, 'dark'],
  ['narrow', { width: 320, height: 640 }, 'light'],
] as const) {
  test(`${screen}, ${colorScheme}: models and providers fit and axe finds nothing`, async ({ world, browser, complaints }) => {
    const [context, page] = await operator(world, browser, complaints, { viewport, colorScheme });
    for (const [name, path] of [['models', '/operator/models'], ['providers', '/operator/providers']]) {
      await page.goto(path);
      await fits(page, name);
      await accessible(page, name);
      await page.screenshot({ path: `${PICTURES}/${name}-${screen}-${colorScheme}.png`, fullPage: true });
    }
    await context.close();
  });
}
