// A person at Swagger UI, in a headless Chromium: logs in by "Execute", then asks who they are. What was seen is
// printed as JSON; with SCREENSHOTS, a directory, there are pictures of it.
import puppeteer from 'puppeteer-core';

const { API_ORIGIN, CHROMIUM, LOGIN_NAME, LOGIN_PASSWORD, SCREENSHOTS } = process.env;

const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
await page.setViewport({ width: 1280, height: 1600 });
page.setDefaultTimeout(30_000);

const complaints = [];
const elsewhere = [];
page.on('console', message => message.type() === 'error' && complaints.push(message.text()));
page.on('pageerror', error => complaints.push(String(error)));
page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(API_ORIGIN) && !url.startsWith('data:')) elsewhere.push(url);
});

async function picture(name) {
    if (SCREENSHOTS) await page.screenshot({ path: `${SCREENSHOTS}/${name}.png` });
}

/** Opens an operation, fills its body if there is one, presses "Execute" and gives the status that is shown. */
async function execute(tag, operation, body) {
    const block = `#operations-${tag}-${operation}`;
    await page.waitForSelector(`${block} .opblock-summary-control`);
    await page.click(`${block} .opblock-summary-control`);
    await page.waitForSelector(`${block} .execute`);
    if (body) {
        const text = `${block} textarea.body-param__text`;
        await page.waitForSelector(text);
        await page.focus(text);
        await page.keyboard.down('Control');
        await page.keyboard.press('a');
        await page.keyboard.up('Control');
        await page.keyboard.sendCharacter(JSON.stringify(body));
    }
    // What an earlier press has shown goes first.
    if (await page.$(`${block} .btn-clear`)) {
        await page.click(`${block} .btn-clear`);
        await page.waitForSelector(`${block} .live-responses-table`, { hidden: true });
    }
    await page.click(`${block} .execute`);
    const status = await page.waitForSelector(`${block} .live-responses-table .response .response-col_status`);
    return status.evaluate(element => element.textContent.trim().slice(0, 3));
}

const isAuthorized = () => page.$eval('.auth-wrapper .authorize', button => button.classList.contains('locked'));

/** Unfolds a group of operations. */
async function tag(name) {
    await page.waitForSelector(`#operations-tag-${name} button`);
    await page.click(`#operations-tag-${name} button`);
}

try {
    await page.goto(`${API_ORIGIN}/swagger`, { waitUntil: 'networkidle0' });
    await picture('1-opened');
    await tag('me');
    const before = await execute('me', 'get_me');
    await page.click('#operations-me-get_me .opblock-summary-control');
    await tag('auth');
    const login = await execute('auth', 'login', { username: LOGIN_NAME, password: LOGIN_PASSWORD });
    const authorized = await isAuthorized();
    await picture('2-logged-in');
    await page.click('#operations-auth-login .opblock-summary-control');
    const after = await execute('me', 'get_me');
    await page.$eval('#operations-me-get_me', element => element.scrollIntoView());
    await picture('3-asked');
    await tag('tasks');
    // As they stand there: the example, and a list that nothing is asked of.
    const create = await execute('tasks', 'create_task');
    const list = await execute('tasks', 'list_tasks');
    await page.$eval('#operations-tasks-list_tasks', element => element.scrollIntoView());
    await picture('4-listed');
    const logout = await execute('auth', 'logout');
    const statuses = { before, login, after, create, list, logout };
    const seen = { statuses, authorized, leftOver: await isAuthorized(), complaints, elsewhere };
    console.log(JSON.stringify(seen));
} catch (error) {
    await picture('0-failed');
    throw error;
} finally {
    await browser.close();
}
