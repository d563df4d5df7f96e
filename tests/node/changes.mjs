// The code of docs/live-changes.md in a page of another origin, in a headless Chromium: what it is told is printed as
// JSON. Each line on standard input lets the page lose its connection.
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import puppeteer from 'puppeteer-core';

const { API, CHROMIUM, ORIGIN_PORT, PAGE, TOKEN } = process.env;
const code = readFileSync(PAGE, 'utf8').match(/```js\n([\s\S]*?)```/)[1];
const html = `<!doctype html><script>
const API = ${JSON.stringify(API)};
const told = [];
const sources = [];
window.EventSource = class extends EventSource { constructor(url) { super(url); sources.push(this); } };
const token = async () => ${JSON.stringify(TOKEN)};
const put = ({ item }) => told.push("put " + item.title);
const drop = ({ id }) => told.push("drop " + id);
const loadLists = () => told.push("load");
${code}
follow();
</script>`;

const server = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end(html));
await new Promise(resolve => server.listen(Number(ORIGIN_PORT), '127.0.0.1', resolve));
const browser = await puppeteer.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const page = await browser.newPage();
await page.goto(`http://127.0.0.1:${ORIGIN_PORT}/`);
await page.waitForFunction('sources.at(-1)?.readyState === 1', { timeout: 20_000 });
console.log('open');
for await (const line of createInterface({ input: process.stdin })) {
    if (line === 'lose') {
        await page.evaluate('sources.at(-1).close(); sources.at(-1).onerror()');
        console.log('lost');
    } else {
        await page.waitForFunction(`told.length >= ${Number(line)}`, { timeout: 30_000 });
        console.log(JSON.stringify(await page.evaluate('told')));
    }
}
await browser.close();
server.close();
