// Swagger UI for this API. Whoever logs in by "Execute" is authorized from then on, and no longer after a logout.
'use strict';

const SCHEME = 'token';

window.addEventListener('load', () => {
    const ui = SwaggerUIBundle({
        url: '/openapi.json',
        dom_id: '#swagger-ui',
        deepLinking: true,
        displayRequestDuration: true,
        docExpansion: 'none',
        filter: true,
        defaultModelsExpandDepth: 0,
        // Tokens are kept by the page alone: they end when it is closed.
        persistAuthorization: false,
        tryItOutEnabled: true,
        validatorUrl: null,
        responseInterceptor: response => {
            const answered = response.url.split('/').pop();
            if (response.ok && ['login', 'refresh'].includes(answered)) {
                ui.preauthorizeApiKey(SCHEME, response.body.access_token);
            } else if (response.ok && ['logout', 'logout-all'].includes(answered)) {
                ui.authActions.logout([SCHEME]);
            }
            return response;
        },
    });
});
