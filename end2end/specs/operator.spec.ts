// The operator opens a tenant, closes one for a while, and acts inside one in its people's sight.
import { mkdirSync } from 'node:fs';
import type { Browser, BrowserContext, Page } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { expect, finished, hydrated, open, send, test, watch, type Complaints, type World } from '../support/world';

const PICTURES = 'test-results/pictures';

test.beforeAll(() => mkdirSync(PICTURES, { recursive: true }));

async function operator(
  world: World,
  browser: Browser,
  complaints: Complaints,
  screen: Parameters<Browser['newContext']>[0] = {},
): Promise<[BrowserContext, Page]> {
  const context = await world.visitor(browser, screen);
  const page = await context.newPage();
  watch(page, complaints, world.seam.url);
  await page.goto('/login?next=/operator/tenants');
  await page.getByLabel('E-mail').fill('operator@seam.test');
  await page.getByLabel('Password').fill('operate this seam');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Tenants' })).toBeVisible();
  return [context, page];
}

test('a tenant is opened, found, sorted, closed for a while and opened again', async ({ world, browser, complaints }) => {
  complaints.expected.push(/status of 4(09|22)/);
  const [context, page] = await operator(world, browser, complaints);
  await page.getByLabel('Name', { exact: true }).fill('Größe & Söhne Åland');
  await expect(page.getByLabel('Short name')).toHaveValue('grosse-sohne-aland');
  await page.getByLabel('Name', { exact: true }).fill('Initech Ltd');
  await expect(page.getByLabel('Short name')).toHaveValue('initech-ltd');
  await page.getByLabel('First admin’s e-mail').fill('tom@initech.test');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByRole('status').getByRole('code')).toHaveText(/\/invite\//);
  await accessible(page, 'tenants');
  await page.screenshot({ path: `${PICTURES}/tenants.png`, fullPage: true });

  await page.getByLabel('Name', { exact: true }).fill('Initech Ltd');
  await page.getByRole('button', { name: 'Open', exact: true }).click();
  await expect(page.getByText('There is already a tenant “initech-ltd”')).toBeVisible();
  await page.getByRole('columnheader', { name: 'Since' }).getByRole('link').click();
  await expect(page).toHaveURL(/sort=created/);
  await page.getByRole('columnheader', { name: 'Since' }).getByRole('link').click();
  await expect(page.getByRole('columnheader', { name: 'Since' })).toHaveAttribute('aria-sort', 'descending');
  await page.getByRole('searchbox', { name: 'Search by name' }).fill('initech');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('row')).toHaveCount(2);
  await expect(page).toHaveURL(/sort=-created/);

  await page.getByRole('link', { name: 'Initech Ltd' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Initech Ltd' })).toBeVisible();
  await accessible(page, 'a tenant');
  await page.screenshot({ path: `${PICTURES}/tenant.png`, fullPage: true });
  await page.getByRole('button', { name: 'Suspend' }).press('Enter');
  await page.getByLabel('Reason, for its people to read').last().fill('Moving house');
  await page.getByLabel('Type initech-ltd to confirm').first().fill('initech-ltd');
  await page.getByRole('button', { name: 'Suspend', exact: true }).press('Enter');
  await expect(page.getByText('Suspended: Moving house')).toBeVisible();
  await page.getByRole('button', { name: 'Resume' }).click();
  await expect(page.getByRole('button', { name: 'Suspend' })).toBeVisible();
  await page.getByRole('link', { name: 'Audit' }).click();
  await expect(page.getByRole('row').nth(1)).toContainText('tenant.resume');
  const download = page.waitForEvent('download');
  await page.getByRole('link', { name: 'Download the whole log' }).click();
  expect((await download).suggestedFilename()).toBe('platform-audit.jsonl');
  await page.getByRole('link', { name: 'Users' }).click();
  await expect(page.getByRole('row', { name: /ada@acme.test/ })).toContainText('acme');
  await accessible(page, 'users');
  await page.screenshot({ path: `${PICTURES}/users.png`, fullPage: true });
  await context.close();
});

test('an operator inside a tenant is seen there, and shown out', async ({ chat: ada, world, browser, complaints }) => {
  complaints.expected.push(/status of 403/);
  const [context, page] = await operator(world, browser, complaints);
  await page.goto('/operator/tenants/acme');
  await page.getByLabel('Reason, for its people to read').first().fill('Ticket 4711: answers are slow');
  await page.getByLabel('Role').selectOption('admin');
  await page.getByRole('button', { name: 'Enter' }).click();
  await expect(page).toHaveURL(/\/chat$/);
  await hydrated(page);
  await expect(page.getByText(/^You act inside acme as admin/)).toBeVisible();
  await send(page, 'Is it slow here too?', 'quick');
  await finished(page);
  await page.screenshot({ path: `${PICTURES}/inside.png` });
  await accessible(page, 'the chat inside a tenant');

  await open(ada, '/chat');
  await expect(ada.getByText('Ticket 4711: answers are slow')).toBeVisible();
  await expect(ada.getByText('Is it slow here too?')).toHaveCount(0);
  await accessible(ada, 'the chat of a tenant that is visited');
  await ada.screenshot({ path: `${PICTURES}/visited.png` });
  await ada.getByRole('button', { name: 'End it' }).click();
  await expect(ada.getByRole('heading', { level: 1, name: 'Audit' })).toBeVisible();
  await expect(ada.getByRole('heading', { name: 'Operators inside this tenant' })).toBeVisible();
  await ada.screenshot({ path: `${PICTURES}/visits.png`, fullPage: true });

  await page.goto('/operator/tenants');
  await expect(page.getByText('Your time inside the tenant is over.')).toBeVisible();
  await page.getByRole('button', { name: 'Back to your own work' }).click();
  await expect(page.getByText('Your time inside the tenant is over.')).toHaveCount(0);
  await context.close();
});

test('a claimed domain is confirmed, and taken away again', async ({ chat: ada, world, browser, complaints }) => {
  complaints.expected.push(/status of 422/);
  await ada.goto('/admin/sign-in');
  await ada.getByRole('textbox', { name: 'Domain' }).fill('mail.acme.test');
  await ada.getByRole('button', { name: 'Claim' }).click();
  await expect(ada.getByRole('row', { name: /mail\.acme\.test/ })).toContainText('waits');

  const [context, page] = await operator(world, browser, complaints);
  await page.goto('/operator/tenants/acme');
  const row = page.getByRole('row', { name: /mail\.acme\.test/ });
  await expect(row).toContainText('by ada@acme.test');
  await expect(row).toContainText('waits for you');
  await accessible(page, 'a claimed domain');
  await row.getByRole('button', { name: 'Confirm mail.acme.test' }).press('Enter');
  await expect(page.getByText('No other tenant can have the domain.')).toBeVisible();
  await accessible(page, 'the question before a domain is confirmed');
  await page.screenshot({ path: `${PICTURES}/domain-question.png` });
  await page.getByRole('button', { name: 'Confirm', exact: true }).press('Enter');
  await expect(row).toContainText('confirmed');
  await expect(row).toContainText('by operator@seam.test');
  for (const [width, colorScheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']] as const) {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    await fits(page, `domains at ${width}`);
    await page.screenshot({ path: `${PICTURES}/tenant-domains-${width}-${colorScheme}.png` });
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await ada.goto('/admin/audit');
  await expect(ada.getByRole('row').nth(1)).toContainText('domain.confirm');

  await row.getByRole('button', { name: 'Take away' }).press('Enter');
  await page.getByLabel('Type mail.acme.test to confirm').fill('acme.test');
  await page.getByRole('button', { name: 'Take away', exact: true }).press('Enter');
  await expect(page.getByText('type “mail.acme.test” to confirm', { exact: false })).toBeVisible();
  await page.getByLabel('Type mail.acme.test to confirm').fill('mail.acme.test');
  await page.getByRole('button', { name: 'Take away', exact: true }).press('Enter');
  await expect(page.getByRole('heading', { name: 'E-mail domains' })).toHaveCount(0);
  await page.goto('/operator/audit');
  await expect(page.getByRole('row').nth(1)).toContainText('domain.release');
  await expect(page.getByRole('row').nth(2)).toContainText('domain.confirm');
  await context.close();
});

test('a link to a new password is made, copied, and opens its owner’s account alone', async ({ chat: ada, world, browser, complaints }) => {
  const [context, page] = await operator(world, browser, complaints);
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: world.seam.url });
  await page.goto('/operator/users?q=bob');
  await page.getByRole('button', { name: 'New password … for bob@acme.test' }).press('Enter');
  await expect(page.getByText('Links that were made before open nothing any more')).toBeVisible();
  await accessible(page, 'the question before a link is made');
  await page.screenshot({ path: `${PICTURES}/reset-question.png` });
  await page.getByRole('button', { name: 'New password', exact: true }).press('Enter');
  await expect(page).toHaveURL(/\/operator\/users\?q=bob$/);
  const link = (await page.getByRole('status').getByRole('code').innerText()).trim();
  await expect(page.getByRole('status')).toContainText('Hand this link to bob@acme.test');
  await page.getByRole('button', { name: 'Copy' }).press('Enter');
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await accessible(page, 'a link that is shown once');
  for (const [width, colorScheme] of [[1280, 'light'], [1280, 'dark'], [390, 'light'], [390, 'dark']] as const) {
    await page.setViewportSize({ width, height: 844 });
    await page.emulateMedia({ colorScheme });
    await fits(page, `a link at ${width}`);
    await page.screenshot({ path: `${PICTURES}/reset-link-${width}-${colorScheme}.png` });
  }
  const visitor = await world.visitor(browser);
  const bob = await visitor.newPage();
  watch(bob, complaints, world.seam.url);
  await bob.goto(link);
  await expect(bob.getByText('bob@acme.test')).toBeVisible();
  await visitor.close();
  await page.reload();
  await expect(page.getByText('Hand this link')).toHaveCount(0);
  await ada.goto('/admin/audit');
  await expect(ada.getByRole('row').nth(1)).toContainText('user.reset_link');
  await context.close();
});

test('without JavaScript an operator makes a link as well', async ({ world, browser }) => {
  const context = await world.visitor(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto('/login');
  await page.getByLabel('E-mail').fill('operator@seam.test');
  await page.getByLabel('Password').fill('operate this seam');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.goto('/operator/users?q=bob');
  await page.getByRole('button', { name: 'New password … for bob@acme.test' }).click();
  await page.getByRole('button', { name: 'New password', exact: true }).click();
  await expect(page.getByRole('status').getByRole('code')).toHaveText(/\/reset\//);
  await expect(page.getByRole('button', { name: 'Copy' })).toHaveCount(0);
  await context.close();
});

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['narrow', { width: 320, height: 640 }, 'light'],
  ['narrow', { width: 320, height: 640 }, 'dark'],
] as const) {
  test(`${screen}, ${colorScheme}: the operator’s pages fit and axe finds nothing`, async ({ world, browser, complaints }) => {
    const [context, page] = await operator(world, browser, complaints, { viewport, colorScheme });
    for (const [name, path] of [['tenants', '/operator/tenants'], ['tenant', '/operator/tenants/acme'], ['users', '/operator/users'], ['platform-audit', '/operator/audit']]) {
      await page.goto(path);
      await fits(page, name);
      // Where there is room, nothing of a table is cut off.
      const cut = () => [...document.querySelectorAll('.table-scroll')].filter((table) => table.scrollWidth > table.clientWidth).length;
      if (screen === 'desk') expect(await page.evaluate(cut)).toBe(0);
      await accessible(page, name);
      await page.screenshot({ path: `${PICTURES}/${name}-${screen}-${colorScheme}.png`, fullPage: true });
    }
    await context.close();
  });
}
