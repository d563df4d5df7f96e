// A client with types that openapi-typescript made of the API's own document. It prints what it did as JSON.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

declare const process: { env: Record<string, string> };

type Task = components['schemas']['Task'];
const { API_ORIGIN, LOGIN_NAME, LOGIN_PASSWORD } = process.env;

/** What an answer holds, or an error with the problem's code. */
function dataOf<T>(answer: { data?: T; error?: { code?: string } }): T {
    if (answer.data === undefined) throw new Error(answer.error?.code);
    return answer.data;
}

const api = createClient<paths>({ baseUrl: API_ORIGIN });
const tokens = dataOf(
    await api.POST('/api/v1/auth/login', { body: { username: LOGIN_NAME, password: LOGIN_PASSWORD } })
);
api.use({
    onRequest({ request }) {
        request.headers.set('Authorization', `Bearer ${tokens.access_token}`);
    },
});

const made = await api.POST('/api/v1/tasks', { body: { title: 'Typed', priority: 1 } });
const task: Task = dataOf(made);
const etag = made.response.headers.get('ETag') ?? '*';

const page = dataOf(
    await api.GET('/api/v1/tasks', {
        params: { query: { status__in: ['pending', 'in_progress'], sort: 'priority', count: 'exact' } },
        // The API takes several values between commas.
        querySerializer: { array: { style: 'form', explode: false } },
    })
);
const titles: (string | undefined)[] = page.data.map(row => row.title);

const path = { task_id: task.id };
const done = await api.PATCH('/api/v1/tasks/{task_id}', {
    params: { path, header: { 'If-Match': etag } },
    body: { status: 'done' },
});
const stale = await api.PATCH('/api/v1/tasks/{task_id}', {
    params: { path, header: { 'If-Match': etag } },
    body: { status: 'pending' },
});

console.log(
    JSON.stringify({ titles, total: page.pagination.total, status: done.data?.status, refusal: stale.error?.code })
);

/** Mistakes that the compiler finds. */
export async function mistakes(): Promise<void> {
    // @ts-expect-error: no such path
    await api.GET('/api/v1/nothing');
    // @ts-expect-error: a task needs a title
    await api.POST('/api/v1/tasks', { body: { priority: 1 } });
    // @ts-expect-error: no such field
    const colored: components['schemas']['TaskCreate'] = { title: 'x', color: 'red' };
    await api.POST('/api/v1/tasks', { body: colored });
    // @ts-expect-error: no such status
    await api.GET('/api/v1/tasks', { params: { query: { status: 'lost' } } });
    // @ts-expect-error: a change needs a version
    await api.PATCH('/api/v1/tasks/{task_id}', { params: { path }, body: { status: 'done' } });
    // @ts-expect-error: the id is not the client's to choose
    task.id = 'x';
}
