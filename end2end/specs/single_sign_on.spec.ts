// Single sign-on against a real OpenID provider: set up by an admin, used by people, and refused to those it must be.
import { expect, test, type Browser, type BrowserContext, type Page } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { IdentityProvider } from '../support/identity_provider';
import { Seam } from '../support/server';

const ADA = { email: 'ada@acme.test', password: 'correct horse battery' };
const BOB = { email: 'bob@acme.test', password: 'battery horse correct' };
const user = (who: { email: string }, role: string, variable: string) =>
  `[[user]]\ntenant = "acme"\nemail = "${who.email}"\nrole = "${role}"\npassword_env = "${variable}"\n`;

test.describe.configure({ mode: 'serial' });

let seam: Seam;
let provider: IdentityProvider;

test.beforeAll(async () => {
  seam = Seam.prepare();
  seam.apply(`[[tenant]]\nname = "acme"\n${user(ADA, 'admin', 'ADA')}${user(BOB, 'member', 'BOB')}`, {
    ADA: ADA.password,
    BOB: BOB.password,
  });
  await seam.start({
    SEAM_OPERATOR_EMAIL: 'operator@acme.test',
    SEAM_OPERATOR_PASSWORD: 'operate this seam',
    SEAM_PRIVATE_IDENTITY_PROVIDERS: 'true',
  });
  provider = await IdentityProvider.start(`${seam.url}/oidc/callback`);
  const people = { ada: ADA.email, bob: BOB.email, grace: 'grace@acme.test', operator: 'operator@acme.test', eve: 'eve@evil.test' };
  for (const [id, email] of Object.entries(people)) provider.people.set(id, { email, email_verified: true });
  provider.people.set('mallory', { email: 'mallory@acme.test', email_verified: false });
  provider.people.set('nobody', {});
});

test.afterAll(async () => {
  await seam?.remove();
  await provider?.stop();
});

async function visitor(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context: BrowserContext = await browser.newContext({ baseURL: seam.url, ...options });
  return context.newPage();
}

async function byPassword(page: Page, who: { email: string; password: string }): Promise<void> {
  await page.goto('/login');
  await page.getByLabel('E-mail').fill(who.email);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** From Seam's page to the provider's, through its two forms; ends wherever the provider sends the browser. */
async function bySingleSignOn(page: Page, id: string, email = `${id}@acme.test`, beforeReturn = async () => {}): Promise<void> {
  await page.goto('/login');
  await page.getByRole('link', { name: 'Sign in with single sign-on' }).click();
  await page.getByLabel('E-mail').fill(email);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.waitForURL(`${provider.issuer}/**`);
  await page.locator('input[name="login"]').fill(id);
  await page.locator('input[name="password"]').fill('any');
  await page.locator('button[type="submit"]').click();
  await expect(page.getByRole('button', { name: 'Continue' })).toBeVisible();
  await beforeReturn();
  await page.getByRole('button', { name: 'Continue' }).click();
}

const COOKIE = 'seam_sign_on';
const cookieOf = async (page: Page) =>
  (await page.context().cookies(`${seam.url}/oidc/callback`)).find((cookie) => cookie.name === COOKIE)?.value ?? '';
const setCookie = (page: Page, value: string) =>
  page.context().addCookies([{ name: COOKIE, value, domain: '127.0.0.1', path: '/oidc', httpOnly: true, sameSite: 'Lax' }]);

const refused = (page: Page, words: RegExp) => expect(page.getByRole('alert')).toContainText(words);

test('an admin claims a domain, the operator confirms it, and the provider is tried before it is kept', async ({ browser }) => {
  const page = await visitor(browser);
  await byPassword(page, ADA);
  await page.waitForURL('**/chat');
  await page.goto('/admin/members');
  await page.getByRole('navigation', { name: 'Console' }).getByRole('link', { name: 'Sign-in' }).click();
  await page.getByRole('textbox', { name: 'Domain' }).fill('acme.test');
  await page.getByRole('button', { name: 'Claim' }).click();
  const row = page.getByRole('row', { name: /acme\.test/ });
  await expect(row).toContainText('waits for whoever runs this server');
  expect(seam.command('tenant', 'domain', 'add', 'acme', 'acme.test')).toContain('acme.test is confirmed for acme');
  await page.reload();
  await expect(row).toContainText('confirmed');

  await page.getByLabel('Issuer').fill('http://127.0.0.1:1');
  await page.getByLabel('Client id').fill(provider.clientId);
  await page.getByLabel('Client secret').fill(provider.clientSecret);
  await page.getByLabel('Let people sign in with it').check();
  await page.getByRole('button', { name: 'Try and save' }).click();
  await expect(page.getByText(/This provider cannot be used/)).toBeVisible();
  await page.getByLabel('Issuer').fill(provider.issuer);
  await page.getByLabel('Demand it of everybody').check();
  await page.getByRole('button', { name: 'Try and save' }).click();
  await expect(page.getByText(/Sign in once with single sign-on yourself/)).toBeVisible();
  await page.getByLabel('Demand it of everybody').uncheck();
  await page.getByRole('button', { name: 'Try and save' }).click();
  await expect(page.getByText('Saved. The provider was asked and can be used.')).toBeVisible();
  await expect(page.getByLabel('Client secret')).toHaveValue('');
  expect(await page.content()).not.toContain(provider.clientSecret);
  await accessible(page, '/admin/sign-in');
  for (const width of [1280, 320]) {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      await fits(page, `/admin/sign-in at ${width}`);
      await page.screenshot({ path: `test-results/pictures/sign-in-settings-${width}-${colorScheme}.png` });
      await page.getByRole('button', { name: 'Try and save' }).scrollIntoViewIfNeeded();
      await page.screenshot({ path: `test-results/pictures/sign-in-settings-foot-${width}-${colorScheme}.png` });
    }
  }
});

test('somebody new signs in and is a member', async ({ browser }) => {
  const page = await visitor(browser);
  await bySingleSignOn(page, 'grace');
  await page.waitForURL('**/chat');
  await page.goto('/settings');
  await expect(page.getByRole('region', { name: 'Account' })).toContainText('grace@acme.test');
  await expect(page.getByRole('region', { name: 'Recent sign-ins' })).toContainText('Signed in with single sign-on of acme');
  expect((await page.goto('/admin/members'))?.status()).toBe(403);
});

test('the whole way works without scripts of ours', async ({ browser }) => {
  const page = await visitor(browser, { javaScriptEnabled: false });
  await bySingleSignOn(page, 'grace');
  await page.waitForURL('**/chat');
});

for (const [id, email, words] of [
  ['mallory', undefined, /has not verified your e-mail address/],
  ['nobody', undefined, /does not say which address is yours/],
  ['eve', undefined, /evil\.test is not one of/i],
  ['operator', undefined, /cannot be used with single sign-on here/],
] as const) {
  test(`the provider's word is not enough for ${id}`, async ({ browser }) => {
    const page = await visitor(browser);
    await bySingleSignOn(page, id, email);
    await page.waitForURL('**/sso');
    await refused(page, words);
    await page.goto('/chat');
    await expect(page).toHaveURL(/\/login/);
  });
}

test('a domain without single sign-on is told so', async ({ browser }) => {
  const page = await visitor(browser);
  await page.goto('/sso');
  await accessible(page, '/sso');
  await page.getByLabel('E-mail').fill('eve@evil.test');
  await page.getByRole('button', { name: 'Continue' }).click();
  await refused(page, /not set up for evil\.test/);
});

test('a state that is not this browser\'s own is refused, and so is a stolen callback', async ({ browser }) => {
  const other = await visitor(browser);
  let foreign = '';
  await bySingleSignOn(other, 'grace', undefined, async () => {
    foreign = await cookieOf(other);
  });
  await other.waitForURL('**/chat');
  expect(foreign).not.toBe('');

  for (const kept of [foreign, `${foreign.slice(0, -4)}AAAA`, '']) {
    const page = await visitor(browser);
    let stolen = '';
    page.on('request', (request) => {
      if (request.url().includes('/oidc/callback')) stolen = request.url();
    });
    await bySingleSignOn(page, 'grace', undefined, () => setCookie(page, kept));
    await page.waitForURL('**/sso');
    await refused(page, /begin again/);
    // The true address with its code, in a browser that did not begin it.
    const thief = await visitor(browser);
    expect(stolen).toContain('code=');
    await thief.goto(stolen);
    await refused(thief, /begin again/);
    await thief.goto('/chat');
    await expect(thief).toHaveURL(/\/login/);
  }
});

test('a callback works once, even with its cookie kept', async ({ browser }) => {
  const page = await visitor(browser);
  let callback = '';
  let cookie = '';
  page.on('request', (request) => {
    if (request.url().includes('/oidc/callback')) callback = request.url();
  });
  await bySingleSignOn(page, 'grace', undefined, async () => {
    cookie = await cookieOf(page);
  });
  await page.waitForURL('**/chat');
  expect(await cookieOf(page), 'forgotten once used').toBe('');
  const again = await visitor(browser);
  await setCookie(again, cookie);
  await again.goto(callback);
  await refused(again, /begin again/);
});

test('once demanded, single sign-on is the only way in for the domain', async ({ browser }) => {
  const page = await visitor(browser);
  // Ada's own account, which had a password before.
  await bySingleSignOn(page, 'ada');
  await page.waitForURL('**/chat');
  await page.goto('/admin/sign-in');
  await page.getByLabel('Demand it of everybody').check();
  await page.getByRole('button', { name: 'Try and save' }).click();
  await expect(page.getByText('Saved.')).toBeVisible();
  await page.goto('/admin/audit');
  for (const action of ['sign_in.configure', 'identity.link', 'domain.confirm', 'domain.claim']) {
    await expect(page.getByText(action).first()).toBeVisible();
  }

  const bob = await visitor(browser);
  for (const password of [BOB.password, 'a wrong password']) {
    await byPassword(bob, { ...BOB, password });
    await refused(bob, /Addresses at acme\.test sign in with single sign-on/);
  }
  await bySingleSignOn(bob, 'bob');
  await bob.waitForURL('**/chat');
  // Whoever runs the platform is not shut out by a tenant.
  const operator = await visitor(browser);
  await byPassword(operator, { email: 'operator@acme.test', password: 'operate this seam' });
  await operator.waitForURL((url) => url.pathname !== '/login');
  expect((await operator.goto('/operator/tenants'))?.status()).toBe(200);
});

test('a provider that is removed signs nobody in, and passwords do again', async ({ browser }) => {
  const page = await visitor(browser);
  await bySingleSignOn(page, 'ada');
  await page.waitForURL('**/chat');
  await page.goto('/admin/sign-in');
  await page.getByRole('button', { name: 'Remove provider …' }).click();
  const question = page.locator('.question:popover-open');
  await expect(question).toContainText('Its people stay members');
  await question.getByRole('textbox').fill(provider.issuer);
  await question.getByRole('button', { name: 'Remove provider' }).press('Enter');
  await expect(page.getByText('The identity provider is removed.')).toBeVisible();
  await expect(page.getByLabel('Issuer')).toHaveValue('');
  await expect(page.getByRole('button', { name: 'Remove provider …' })).toHaveCount(0);
  await page.goto('/admin/audit');
  await expect(page.getByRole('row').nth(1)).toContainText('sign_in.remove');
  const bob = await visitor(browser);
  await byPassword(bob, BOB);
  await bob.waitForURL('**/chat');
});

test('looks well on every screen', async ({ browser }) => {
  const page = await visitor(browser);
  for (const path of ['/login', '/sso']) {
    for (const width of [1280, 320]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        await page.goto(path);
        await fits(page, `${path} at ${width}`);
        await accessible(page, path);
        await page.screenshot({ path: `test-results/pictures/entrance${path.replace('/', '-')}-${width}-${colorScheme}.png` });
      }
    }
  }
});
