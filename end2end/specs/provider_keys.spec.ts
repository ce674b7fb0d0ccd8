// A tenant's own keys at providers: set, tried, replaced and removed, and shown to nobody.
import { mkdirSync } from 'node:fs';
import { accessible, fits } from '../support/accessible';
import { expect, test, watch } from '../support/world';

const PICTURES = 'test-results/pictures';
/** Nobody listens there; tenants may use keys of their own. */
const RESOURCES = `
[[provider]]
name = "nearby"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
own_keys = true

[[provider]]
name = "inhouse"
kind = "openai"
base_url = "http://127.0.0.1:9/v1"
`;
const KEY = 'sk-of-acme-0123456789abcdefWXYZ';

test.beforeAll(({ world }) => {
  mkdirSync(PICTURES, { recursive: true });
  world.seam.apply(RESOURCES);
});

for (const [screen, viewport, colorScheme] of [
  ['desk', { width: 1280, height: 800 }, 'light'],
  ['desk', { width: 1280, height: 800 }, 'dark'],
  ['phone', { width: 390, height: 844 }, 'light'],
  ['phone', { width: 320, height: 640 }, 'dark'],
] as const) {
  test(`${screen}, ${colorScheme}: a key is set, tried and removed`, async ({ world, browser, complaints }) => {
    complaints.expected.push(/status of 422/);
    const context = await world.member(browser, { viewport, colorScheme });
    const page = await context.newPage();
    watch(page, complaints, world.seam.url);
    await page.goto('/admin/provider-keys');
    const row = page.getByRole('region', { name: 'List of providers' }).getByRole('row').filter({ hasText: 'nearby' });
    await expect(row).toContainText("none: the platform's is used");
    await expect(page.getByRole('region', { name: 'List of providers' })).not.toContainText('inhouse');
    await page.getByLabel('Provider', { exact: true }).selectOption('nearby');
    await page.getByLabel('Key', { exact: true }).fill('two words');
    await page.getByRole('button', { name: 'Keep the key' }).click();
    await expect(page.getByText('has no spaces; copy it again, whole')).toBeVisible();
    await accessible(page, 'a provider key refused');
    await page.getByLabel('Key', { exact: true }).fill(KEY);
    // By keyboard.
    await page.keyboard.press('Enter');
    await expect(page.getByText('The key at nearby is kept.')).toBeVisible();
    await expect(row).toContainText('…WXYZ');
    expect(await page.content()).not.toContain('0123456789');
    await page.getByRole('button', { name: 'Try it: your key at nearby' }).click();
    await expect(page.getByText('Your key at nearby does not work: the provider could not be reached.')).toBeVisible();
    await fits(page, 'provider keys');
    await accessible(page, 'provider keys');
    await page.screenshot({ path: `${PICTURES}/provider-keys-${screen}-${colorScheme}.png`, fullPage: true });
    await row.getByRole('button', { name: 'Remove' }).click();
    await page.getByLabel('Type nearby to confirm').fill('nearby');
    await page.screenshot({ path: `${PICTURES}/provider-key-removed-${screen}-${colorScheme}.png` });
    await page.keyboard.press('Enter');
    await expect(row).toContainText("none: the platform's is used");
    await page.goto('/admin/audit?q=provider_key');
    await expect(page.getByText('provider_key.remove').first()).toBeVisible();
    await expect(page.getByText('provider_key.set').first()).toBeVisible();
    await context.close();
  });
}
