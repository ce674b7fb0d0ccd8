// A tenant's admin invites somebody and reads the log.
import { mkdirSync } from 'node:fs';
import { accessible } from '../support/accessible';
import { expect, test, watch } from '../support/world';

const PICTURES = 'test-results/pictures';

test.beforeAll(() => mkdirSync(PICTURES, { recursive: true }));

test('an admin invites somebody, who joins', async ({ chat: page, world, browser, complaints }) => {
  complaints.expected.push(/status of 422/);
  await page.goto('/chat');
  await page.getByRole('link', { name: 'Team' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Members' })).toBeVisible();
  await page.getByLabel('E-mail', { exact: true }).fill('not an address');
  await page.getByRole('button', { name: 'Make a link' }).click();
  await expect(page.getByLabel('E-mail', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('E-mail', { exact: true }).fill('carol@acme.test');
  await page.getByRole('button', { name: 'Make a link' }).click();
  const link = (await page.getByRole('status').getByRole('code').innerText()).trim();
  await accessible(page, 'members');
  await page.screenshot({ path: `${PICTURES}/members.png`, fullPage: true });

  const context = await world.visitor(browser);
  const carol = await context.newPage();
  watch(carol, complaints, world.seam.url);
  await carol.goto(link);
  await expect(carol.getByText('invites carol@acme.test')).toBeVisible();
  await accessible(carol, 'an invitation');
  await carol.getByLabel('Choose a password').fill('a few words make one');
  await carol.getByRole('button', { name: 'Join' }).click();
  await expect(carol).toHaveURL(/\/chat$/);
  await expect(carol.getByRole('link', { name: 'Team' })).toHaveCount(0);
  await context.close();

  await page.reload();
  const row = page.getByRole('row', { name: /carol@acme.test/ });
  await row.getByRole('button', { name: 'Remove' }).press('Enter');
  await page.getByLabel('Type carol@acme.test to confirm').fill('somebody else');
  await page.getByRole('button', { name: 'Remove', exact: true }).press('Enter');
  await expect(page.getByText('type “carol@acme.test” to confirm', { exact: false })).toBeVisible();
  await page.getByLabel('Type carol@acme.test to confirm').fill('carol@acme.test');
  await page.getByRole('button', { name: 'Remove', exact: true }).press('Enter');
  await expect(page.getByRole('row', { name: /carol@acme.test/ })).toHaveCount(0);
  await page.getByRole('link', { name: 'Audit' }).click();
  await expect(page.getByRole('row').nth(1)).toContainText('member.remove');
  await accessible(page, 'the log');
  await page.screenshot({ path: `${PICTURES}/audit.png`, fullPage: true });
});
