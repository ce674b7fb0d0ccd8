// A stranger starts Seam and is led to the chat.
import { test as base, expect } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { Seam } from '../support/server';
import { composer, finished, hydrated, open, quietLine, send, watch, words, type Complaints } from '../support/world';

const test = base.extend<{ seam: Seam }>({
  seam: async ({}, use) => {
    const seam = Seam.prepare();
    await seam.start();
    await use(seam);
    await seam.remove();
  },
});

test('the one-time link leads from nothing to an answer, and works once', async ({ seam, browser }) => {
  const complaints: Complaints = { expected: [/status of 4\d\d/], seen: [] };
  const link = seam.operatorLink();
  const context = await browser.newContext({ baseURL: seam.url });
  const page = await context.newPage();
  watch(page, complaints, seam.url);

  await open(page, link);
  await expect(page.getByRole('heading', { name: 'Create the operator account' })).toBeVisible();
  await accessible(page, 'the operator form');
  await page.getByLabel('E-mail').fill('olga@seam.test');
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await expect(page.getByLabel('Password')).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByLabel('E-mail')).toHaveValue('olga@seam.test');
  await page.getByLabel('Password').fill('a few words make one');
  await page.getByRole('button', { name: 'Create the account' }).click();

  await expect(page.getByRole('heading', { name: 'Name your first tenant' })).toBeVisible();
  await hydrated(page);
  await accessible(page, 'step 1');
  await page.getByLabel('Name', { exact: true }).fill('Blue Door Ltd.');
  await expect(page.getByLabel('Short name')).toHaveValue(/^blue-door/);
  await page.getByRole('button', { name: 'Continue' }).click();

  await expect(page.getByRole('heading', { name: 'Choose who answers' })).toBeVisible();
  await hydrated(page);
  await accessible(page, 'step 2');
  await expect(page.getByRole('radio', { name: /The local model/ })).toBeChecked();
  await page.getByRole('button', { name: 'Start chatting' }).click();

  await page.waitForURL('**/chat');
  await hydrated(page);
  await expect(composer(page)).toBeVisible();
  await send(page, 'The capital of France is');
  await finished(page);
  await expect(words(page)).toContainText('Paris');
  await expect(quietLine(page)).toContainText('chat@1');

  const stranger = await (await browser.newContext({ baseURL: seam.url })).newPage();
  await stranger.goto(link);
  await expect(stranger.getByRole('heading', { name: 'This link does not work' })).toBeVisible();
  await expect(stranger.getByRole('link', { name: 'Sign in instead' })).toBeVisible();
  await accessible(stranger, 'a used link');
  await fits(stranger, 'a used link');

  expect(complaints.seen.filter((seen) => !complaints.expected.some((pattern) => pattern.test(seen)))).toEqual([]);
});

test('the first run works without JavaScript', async ({ seam, browser }) => {
  const context = await browser.newContext({ baseURL: seam.url, javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(seam.operatorLink());
  await page.getByLabel('E-mail').fill('olga@seam.test');
  await page.getByLabel('Password').fill('short');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await expect(page.getByText('at least 10', { exact: false }).first()).toBeVisible();
  await page.getByLabel('E-mail').fill('olga@seam.test');
  await page.getByLabel('Password').fill('a few words make one');
  await page.getByRole('button', { name: 'Create the account' }).click();
  await page.getByLabel('Name', { exact: true }).fill('Blue Door');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'Start chatting' }).click();
  await expect(page).toHaveURL(/\/chat$/);
  await expect(composer(page)).toBeVisible();
});
