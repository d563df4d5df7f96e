// react-admin's data provider as it comes, asked line by line: {"method", "resource", "params"} in, {"value"} or
// {"error"} out. It logs in as a dashboard does, at the API of the environment.
import { createInterface } from 'node:readline';
import { fetchUtils } from 'ra-core';
import simpleRestProvider from 'ra-data-simple-rest';

const { API_URL, LOGIN_NAME, LOGIN_PASSWORD } = process.env;

const login = await fetchUtils.fetchJson(`${API_URL}/auth/login`, {
    method: 'POST',
    body: JSON.stringify({ username: LOGIN_NAME, password: LOGIN_PASSWORD }),
});
const user = { authenticated: true, token: `Bearer ${login.json.access_token}` };
const httpClient = (url, options = {}) => fetchUtils.fetchJson(url, { ...options, user });
const provider = simpleRestProvider(`${API_URL}/simple-rest`, httpClient);

for await (const line of createInterface({ input: process.stdin })) {
    const { method, resource, params } = JSON.parse(line);
    const answer = await provider[method](resource, params).then(
        value => ({ value }),
        error => ({ error: { status: error.status ?? 0, body: error.body ?? null, message: String(error.message) } })
    );
    console.log(JSON.stringify(answer));
}
