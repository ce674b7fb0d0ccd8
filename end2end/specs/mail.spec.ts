// Invitations and new passwords by mail, through a real mail server and a real browser.
import { expect, test } from '@playwright/test';
import { accessible, fits } from '../support/accessible';
import { Postbox } from '../support/postbox';
import { Seam } from '../support/server';

const ADA = { email: 'ada@acme.test', password: 'correct horse battery' };

test('an invitation and a new password arrive by mail', async ({ browser }) => {
  const postbox = await Postbox.open();
  const seam = Seam.prepare();
  try {
    seam.apply(
      `[[tenant]]\nname = "acme"\n[[user]]\ntenant = "acme"\nemail = "${ADA.email}"\nrole = "admin"\npassword_env = "ADA_PASSWORD"\n`,
      { ADA_PASSWORD: ADA.password },
    );
    await seam.start({
      SEAM_OPERATOR_EMAIL: 'operator@seam.test',
      SEAM_OPERATOR_PASSWORD: 'operate this seam',
      SEAM_SMTP_URL: postbox.url,
      SEAM_MAIL_FROM: 'Seam <seam@seam.test>',
    });
    const admin = await (await browser.newContext({ baseURL: seam.url })).newPage();
    const signIn = async (page: typeof admin, email: string, password: string) => {
      await page.goto('/login');
      await page.getByLabel('E-mail').fill(email);
      await page.getByLabel('Password').fill(password);
      await page.getByRole('button', { name: 'Sign in' }).click();
    };
    await signIn(admin, ADA.email, ADA.password);
    await admin.waitForURL('**/chat');
    await admin.goto('/admin/members');
    await admin.getByLabel('E-mail', { exact: true }).fill('grace@acme.test');
    await admin.getByRole('button', { name: 'Invite' }).click();
    await expect(admin.getByText('A mail with this link is on its way.')).toBeVisible();
    const invitation = await postbox.link('grace@acme.test', '/invite/');
    await expect(async () => {
      await admin.goto('/admin/members');
      await expect(admin.getByText('mail was sent')).toBeVisible({ timeout: 500 });
    }).toPass({ timeout: 10_000 });

    const grace = await (await browser.newContext({ baseURL: seam.url })).newPage();
    await grace.goto(invitation);
    await grace.getByLabel('Choose a password').fill('a few words of hers');
    await grace.getByRole('button', { name: 'Join' }).click();
    await grace.waitForURL('**/chat');

    const forgetful = await (await browser.newContext({ baseURL: seam.url })).newPage();
    await forgetful.goto('/login');
    await forgetful.getByRole('link', { name: 'Forgot your password?' }).click();
    await accessible(forgetful, '/reset');
    await forgetful.getByLabel('E-mail').fill('grace@acme.test');
    await forgetful.getByRole('button', { name: 'Send the link' }).click();
    await expect(forgetful.getByText('If there is an account with this address')).toBeVisible();
    await accessible(forgetful, '/reset?sent=1');
    await forgetful.goto(await postbox.link('grace@acme.test', '/reset/'));
    await accessible(forgetful, '/reset/{token}');
    await forgetful.getByLabel('New password').fill('short');
    await forgetful.getByRole('button', { name: 'Set the password' }).click();
    await expect(forgetful.getByText('Use at least 10 characters')).toBeVisible();
    await forgetful.getByLabel('New password').fill('entirely new words');
    await forgetful.getByRole('button', { name: 'Set the password' }).click();
    await expect(forgetful.getByText('Your new password is set.')).toBeVisible();

    // The session that was open has ended; the new password opens another, and the history tells.
    await grace.goto('/settings');
    await expect(grace).toHaveURL(/\/login/);
    await signIn(forgetful, 'grace@acme.test', 'entirely new words');
    await forgetful.waitForURL('**/chat');
    await forgetful.goto('/settings');
    const history = forgetful.getByRole('region', { name: 'Recent sign-ins' });
    await expect(history.getByRole('listitem')).toHaveText([
      /Signed in with the password.*just now/,
      /Set a new password with a link/,
      /Joined by an invitation/,
    ]);
    await accessible(forgetful, '/settings');
    for (const width of [1280, 320]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await forgetful.setViewportSize({ width, height: 900 });
        await forgetful.emulateMedia({ colorScheme });
        await fits(forgetful, `/settings at ${width}`);
        await history.scrollIntoViewIfNeeded();
        await forgetful.screenshot({ path: `test-results/pictures/settings-${width}-${colorScheme}.png` });
      }
    }
  } finally {
    await seam.remove();
    await postbox.close();
  }
});
