// API keys: made with an end, shown once, found among many, revoked.
import { mkdirSync } from 'node:fs';
import type { Page } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { expect, test, watch, type World } from '../support/world';

const PICTURES = 'test-results/pictures';
/** More than a page holds. */
const MANY = 60;

test.beforeAll(() => mkdirSync(PICTURES, { recursive: true }));

/** Keys of every kind, made once: many for the build, one that ends soon, one that has ended, one bound to models. */
let made = false;
async function keys(world: World): Promise<void> {
  if (made) return;
  made = true;
  const secret = world.seam.command('key', 'create', 'maker of keys', '--tenant', 'acme', '--manage').trim();
  const make = async (key: object) => {
    const answer = await fetch(`${world.seam.url}/api/v1/keys`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
      body: JSON.stringify(key),
    });
    expect(answer.status, await answer.text()).toBe(201);
  };
  for (let number = 1; number <= MANY; number++) await make({ name: `build ${String(number).padStart(2, '0')}` });
  const day = 86_400_000;
  await make({ name: 'gone by now', expires_at: Date.now() + 700 });
  await make({ name: 'quarterly report', expires_at: Date.now() + 3.5 * day, models: ['quick', 'slow'] });
  await make({ name: 'the nightly export of everything to the warehouse in Ohio', expires_at: Date.now() + 300 * day });
  await new Promise((done) => setTimeout(done, 800));
}

const names = (page: Page) => page.getByRole('region', { name: 'List of keys' }).locator('tbody tr td:first-child');
const head = (page: Page, name: string) => page.getByRole('columnheader', { name });

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'light'],
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['phone', { width: 390, height: 844 }, 'dark'],
  ['narrow', { width: 320, height: 640 }, 'dark'],
] as const) {
  test(`${screen}, ${colorScheme}: a key is made with an end, shown once and revoked`, async ({ world, browser, complaints }) => {
    complaints.expected.push(/status of 422/);
    await keys(world);
    const context = await world.member(browser, { viewport, colorScheme });
    const page = await context.newPage();
    watch(page, complaints, world.seam.url);
    const name = `ci-${screen}-${colorScheme}`;
    await page.goto('/admin/keys');
    await expect(page.getByLabel('Last day')).toBeHidden();
    await page.getByRole('textbox', { name: 'Name' }).fill(name);
    await page.getByLabel('Expires').selectOption('on a date');
    await page.getByLabel('Last day').fill('2020-01-01');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await expect(page.getByText('Choose a time that lies in the future.')).toBeVisible();
    await expect(page.getByLabel('Last day')).toHaveAttribute('aria-invalid', 'true');
    await accessible(page, 'a key refused');
    await page.screenshot({ path: `${PICTURES}/key-refused-${screen}-${colorScheme}.png` });
    await page.getByLabel('Last day').fill('2099-12-31');
    await page.getByRole('button', { name: 'Make a key' }).click();
    await expect(page.getByRole('status').getByRole('code')).toHaveText(/^sk-seam-/);
    const row = page.getByRole('row', { name: new RegExp(name) });
    await expect(row).toContainText('2099-12-31');
    await fits(page, 'keys');
    await accessible(page, 'keys');
    await page.screenshot({ path: `${PICTURES}/keys-${screen}-${colorScheme}.png` });
    await page.getByRole('heading', { name: 'Keys', exact: true }).scrollIntoViewIfNeeded();
    await page.goto('/admin/keys?state=all&sort=expires');
    await expect(page.getByText('it is shown only now')).toHaveCount(0);
    await page.getByRole('searchbox').scrollIntoViewIfNeeded();
    await page.evaluate(() => document.querySelector('[aria-labelledby="keys"]')?.scrollIntoView());
    await page.screenshot({ path: `${PICTURES}/keys-all-${screen}-${colorScheme}.png` });
    const tall = await page.locator('tbody td time').evaluateAll((times) => Math.max(...times.map((time) => time.getClientRects().length)));
    expect(tall, 'a date on one line').toBe(1);

    await page.goto(`/admin/keys?q=${name}`);
    await row.getByRole('button', { name: 'Revoke' }).click();
    await page.screenshot({ path: `${PICTURES}/revoke-${screen}-${colorScheme}.png` });
    await page.getByLabel(`Type ${name} to confirm`).fill(name);
    await page.getByRole('button', { name: 'Revoke', exact: true }).click();
    await expect(page).toHaveURL(new RegExp(`q=${name}$`));
    await expect(page.getByText(`“${name}” is revoked.`)).toBeVisible();
    await expect(page.getByText(`Nothing here matches “${name}”.`)).toBeVisible();
    await page.getByRole('navigation', { name: 'Which keys' }).getByRole('link', { name: 'Revoked 1' }).click();
    await expect(row).toContainText('revoked');
    await accessible(page, 'revoked keys');
    await context.close();
  });
}

test('by keyboard: a key that ends in 90 days, copied where it is shown, and a list that is sorted', async ({ chat: page, world }) => {
  await keys(world);
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: world.seam.url });
  await page.goto('/admin/keys');
  await page.getByRole('textbox', { name: 'Name' }).focus();
  await page.keyboard.type('by hand');
  for (const field of ['It may', 'Models (all if empty)', 'Expires']) {
    await page.keyboard.press('Tab');
    await expect(page.getByLabel(field)).toBeFocused();
  }
  await page.keyboard.type('in 90');
  await expect(page.getByLabel('Expires')).toHaveValue('90');
  await page.keyboard.press('Tab');
  await expect(page.getByRole('button', { name: 'Make a key' })).toBeFocused();
  await page.keyboard.press('Enter');
  const secret = page.getByRole('status').getByRole('code');
  await expect(secret).toHaveText(/^sk-seam-/);
  await page.getByRole('button', { name: 'Copy' }).press('Enter');
  await expect(page.getByRole('button', { name: 'Copied' })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe((await secret.innerText()).trim());
  const end = new Date(Date.now() + 90 * 86_400_000).toISOString().slice(0, 10);
  await expect(page.getByRole('row', { name: /by hand/ })).toContainText(end);
  await head(page, 'Name').getByRole('link').press('Enter');
  await expect(page).toHaveURL(/sort=name/);
  await expect(names(page).first()).toContainText('build 01');
  await page.goBack();
  await expect(head(page, 'Made')).toHaveAttribute('aria-sort', 'descending');
});

test('without JavaScript: keys are searched, sorted, paged and told apart by links', async ({ world, browser }) => {
  await keys(world);
  const context = await world.member(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/admin/keys');
  await page.getByRole('searchbox').fill('BUILD');
  await page.getByRole('button', { name: 'Search' }).click();
  await expect(page.getByText(`${MANY} keys`)).toBeVisible();
  await head(page, 'Name').getByRole('link').click();
  await head(page, 'Name').getByRole('link').click();
  await expect(head(page, 'Name')).toHaveAttribute('aria-sort', 'descending');
  await expect(names(page).first()).toContainText(`build ${MANY}`);
  await page.getByRole('link', { name: 'Next' }).click();
  await expect(names(page)).toHaveCount(MANY - 50);
  await expect(names(page).last()).toContainText('build 01');
  expect(new URL(page.url()).search).toBe('?q=BUILD&sort=-name&state=active&page=2');
  const same = await context.newPage();
  await same.goto(page.url());
  await expect(names(same).last()).toContainText('build 01');

  await page.goto('/admin/keys');
  await page.getByRole('link', { name: 'Expired 1' }).click();
  await expect(names(page)).toHaveText([/gone by now/]);
  await expect(page.getByRole('row', { name: /gone by now/ })).toContainText('expired');
  await expect(page.getByRole('button', { name: 'Revoke' })).toHaveCount(0);
  await page.getByRole('link', { name: /^All/ }).click();
  await head(page, 'Expires').getByRole('link').click();
  await expect(names(page).nth(1)).toContainText('quarterly report');
  await expect(page.getByRole('row', { name: /quarterly report/ })).toContainText('in 3 days');

  await page.getByRole('textbox', { name: 'Name' }).fill('of the past');
  await page.getByLabel('Expires').selectOption('on a date');
  await page.getByLabel('Last day').fill('2020-01-01');
  await page.getByRole('button', { name: 'Make a key' }).click();
  await expect(page.locator('#expires_at-error')).toHaveText('Choose a time that lies in the future.');
  await expect(page.getByRole('textbox', { name: 'Name' })).toHaveValue('of the past');
  await expect(page.getByLabel('Expires')).toHaveValue('date');
  await expect(page.getByLabel('Last day')).toHaveValue('2020-01-01');
  await context.close();
});
