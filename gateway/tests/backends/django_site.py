"""A Django site in one file: Django's own admin over one model with a file, set up as behind any HTTPS proxy.

Its files are in the folder it is started in; whoever starts it finds an administrator there (see `application`).
"""

import threading
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import django
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.static import serve

from gateway.tests.backends.names import HOST, PASSWORD, PATIENCE_S, USER

PER_PAGE: Final = 5

settings.configure(
    # What an engineer has to set in front of a Django site: see docs/backends.md.
    ALLOWED_HOSTS=[HOST],
    USE_X_FORWARDED_HOST=True,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    SECURE_SSL_REDIRECT=True,
    SESSION_COOKIE_SECURE=True,
    CSRF_COOKIE_SECURE=True,
    # The rest is what `startproject` writes.
    SECRET_KEY="of a site that lives for one test",
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=[
        *(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions", "messages")),
        __name__,
    ],
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path.cwd() / "site.sqlite3")}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    MEDIA_ROOT=str(Path.cwd() / "media"),
    MEDIA_URL="/media/",
    STATIC_URL="/static/",
)
django.setup()


class Document(models.Model):
    title = models.CharField(max_length=100)
    file = models.FileField(upload_to="documents")

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return str(self.title)


@admin.register(Document)
class DocumentAdmin(admin.ModelAdmin):
    list_per_page = PER_PAGE


_go_on: dict[str, threading.Event] = defaultdict(threading.Event)


def seen(request: HttpRequest) -> HttpResponse:
    """What Django makes of a request."""
    return JsonResponse(
        {
            "uri": request.build_absolute_uri(),
            "secure": request.is_secure(),
            "cookies": sorted(request.COOKIES),
            "client": request.headers["X-Forwarded-For"],
            "pass": "Sunbeon-Pass" in request.headers,
        }
    )


def stream(request: HttpRequest, name: str) -> StreamingHttpResponse:
    """An answer whose second part is made only when somebody says so."""

    def parts() -> Iterator[str]:
        yield "data: one\n\n"
        _go_on[name].wait(PATIENCE_S)
        yield "data: two\n\n"

    return StreamingHttpResponse(parts(), content_type=request.GET["type"])


def go_on(_: HttpRequest, name: str) -> HttpResponse:
    _go_on[name].set()
    return HttpResponse(status=204)


def moved(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(request.build_absolute_uri("/seen/"))


urlpatterns = [
    path("admin/", admin.site.urls),
    path("static/<path:path>", serve, {"document_root": Path(admin.__file__).parent / "static"}),
    path("media/<path:path>", serve, {"document_root": settings.MEDIA_ROOT}),
    path("seen/", seen),
    path("moved/", moved),
    path("stream/<str:name>/", stream),
    path("go-on/<str:name>/", go_on),
]


def application() -> Any:
    """For gunicorn. Makes the tables, an administrator, and more documents than fit on a page."""
    from django.contrib.auth.models import User

    call_command("migrate", verbosity=0)
    with connection.schema_editor() as editor:
        editor.create_model(Document)  # which has no migrations
    User.objects.create_superuser(USER, password=PASSWORD)
    Document.objects.bulk_create(Document(title=f"document {number:02}") for number in range(2 * PER_PAGE + 1))
    return get_wsgi_application()
