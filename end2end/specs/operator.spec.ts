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

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 320, height: 640 }, 'light'],
  ['phone', { width: 320, height: 640 }, 'dark'],
] as const) {
  test(`${screen}, ${colorScheme}: the operator’s pages fit and axe finds nothing`, async ({ world, browser, complaints }) => {
    const [context, page] = await operator(world, browser, complaints, { viewport, colorScheme });
    for (const [name, path] of [['tenants', '/operator/tenants'], ['tenant', '/operator/tenants/acme'], ['users', '/operator/users'], ['platform-audit', '/operator/audit']]) {
      await page.goto(path);
      await fits(page, name);
      await accessible(page, name);
      await page.screenshot({ path: `${PICTURES}/${name}-${screen}-${colorScheme}.png`, fullPage: true });
    }
    await context.close();
  });
}
