"""Shared tokens for Django backends with cognito_code_grant 1.0.30, beside backends with Codegrant.

The package keeps tokens in its own session and prefers them to the shared cookies, so that
it does not see what happens at a sibling; it writes cookies for a fixed domain, for an hour,
and never those of a refresh. With this middleware the cookies alone are the sign-in: a
sign-out, a refresh and another person at any sibling are seen by the next request.

    MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "siblings.SharedTokens",   # right behind the sessions
        ...
    ]
    SHARED_TOKENS = True
    SHARED_TOKENS_DOMAIN = ".example.com"         # what your hosts have in common, and nobody else has
    SHARED_TOKENS_LIFETIME = 7 * 24 * 60 * 60     # of the cookies, in seconds; this is the default

Turn rotation of refresh tokens off at the app client: the package drops a rotated one.
"""

import logging
from time import time

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import JsonResponse
from jose import JWTError, jwt

ACCESS, ID, REFRESH = TOKENS = ("access_token", "id_token", "refresh_token")
PERSON = "shared_tokens_person"  # whose this server session is
LARGEST = 4096  # of a cookie, name and value together: browsers drop larger ones
SPENT = "spent"  # has the package refresh, as any token does that it cannot read

logger = logging.getLogger(__name__)


def read(token, use):
    """The claims of a token of our app client, before anybody has verified them."""
    try:
        claims = jwt.get_unverified_claims(token or "")
    except JWTError:
        return {}
    client = claims.get("client_id") if use == "access" else claims.get("aud")
    if claims.get("token_use") != use or client != settings.AUTH_COGNITO_CLIENT_ID or not claims.get("sub"):
        return {}
    if not isinstance(claims["sub"], str) or not isinstance(claims.get("exp"), (int, float)):
        return {}  # no pool makes such tokens
    return claims


class SharedTokens:
    def __init__(self, get_response):
        if not getattr(settings, "SHARED_TOKENS", False) or not getattr(settings, "SHARED_TOKENS_DOMAIN", ""):
            raise ImproperlyConfigured(
                "siblings.SharedTokens needs SHARED_TOKENS = True, without which the package reads no cookies, "
                "and SHARED_TOKENS_DOMAIN, what your hosts have in common"
            )
        self.get_response = get_response
        self.domain = settings.SHARED_TOKENS_DOMAIN
        self.lifetime = getattr(settings, "SHARED_TOKENS_LIFETIME", 7 * 24 * 60 * 60)

    def __call__(self, request):
        held = {name: request.COOKIES.pop(name) for name in TOKENS if request.COOKIES.get(name)}
        person = self.present(request, held)
        session = request.session
        if session.get(PERSON) and session[PERSON] != person:
            session.flush()  # signed out at a sibling, or somebody else is there
        for name in TOKENS:
            session.pop(name, None)  # the package would prefer them
        before, modified = dict(session.items()), session.modified

        response = self.get_response(request)

        made = {name: session.pop(name) for name in TOKENS if session.get(name)}
        now = read(made.get(ID), "id").get("sub")
        signed_in = REFRESH in made  # of a refresh, the package keeps the other two
        if now and person and now != person and not signed_in:
            session.flush()
            response = JsonResponse({"detail": "The refresh token is another person's."}, status=403)
            self.forget(response)
            return response
        if signed_in and session.get(PERSON) not in (None, now):
            session.flush()
        elif signed_in:
            session.cycle_key()
        if now and session.get(PERSON) != now:
            session[PERSON] = now
        if not modified and dict(session.items()) == before:
            session.modified = False  # the package writes its session with each request
        if made.get(ACCESS) and made[ACCESS] != held.get(ACCESS):
            self.hand_out(response, {**held, **made})
        elif any(name in response.cookies and not response.cookies[name].value for name in TOKENS):
            self.forget(response)  # the package's sign-out, which names its own domain
        return response

    def present(self, request, held):
        """Shows the package the tokens that belong together, and returns whose they are."""
        access, identity = read(held.get(ACCESS), "access"), read(held.get(ID), "id")
        if access and identity and access["sub"] != identity["sub"]:
            return None  # tokens of two people are nobody's
        person = (identity or access).get("sub")
        if REFRESH not in held and not (access and identity):
            return None
        request.COOKIES.update(held)
        if not access or not identity or self.ended(identity):
            request.COOKIES[ACCESS] = SPENT
        return person or ""  # whose a refresh token alone is, the pool knows

    @staticmethod
    def ended(claims):
        """The package ends in an error where the ID token has ended before the access token."""
        return claims.get("exp", 0) <= time()

    def hand_out(self, response, tokens):
        for name in TOKENS:
            response.cookies.pop(name, None)
            if len(name) + len(tokens.get(name, "")) > LARGEST:
                logger.error("%s is too large for a cookie: have the pool put fewer groups or attributes in it", name)
                return
        for name in TOKENS:
            if name in tokens:
                response.set_cookie(
                    name, tokens[name], max_age=self.lifetime, domain=self.domain, secure=True, httponly=True, samesite="Lax"
                )

    def forget(self, response):
        for name in TOKENS:
            response.cookies.pop(name, None)
            response.delete_cookie(name, domain=self.domain, samesite="Lax")
