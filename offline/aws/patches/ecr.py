"""ECR: a registry that Docker can reach, that needs a login, and that keeps its layers on disk."""

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import time

from ministack import app
from ministack.core import persistence
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, request_scope
from ministack.services import ecr

REFERRERS = re.compile(r"/v2/(.+)/referrers/(sha256:[0-9a-f]{64})")
REGISTRY = f"127.0.0.1:{os.environ['GATEWAY_PORT']}"


def apply():
    ecr._repo_uri = lambda name: f"{REGISTRY}/{name}"
    ecr._describe_images = describe_images
    ecr._get_authorization_token = get_authorization_token
    guard_registry()
    serve_referrers()
    keep_blobs_on_disk()
    follow_the_port()


def follow_the_port():
    """A repository's URI names the port, which may change on a restart."""
    original = ecr._repo_shape
    ecr._repo_shape = lambda repo: {**original(repo), "repositoryUri": ecr._repo_uri(repo["repositoryName"])}


def describe_images(data):
    """DescribeImages: an image that isn't there is an ImageNotFoundException, not an empty list; the size is the image's."""
    name = data.get("repositoryName", "")
    if name not in ecr._repositories:
        return error_response_json("RepositoryNotFoundException",
                                   f"The repository with name '{name}' does not exist in the registry with id "
                                   f"'{ecr._registry_id()}'", 400)
    images = ecr._images.get(name, [])
    if data.get("imageIds"):
        images = []
        for wanted in data["imageIds"]:
            image = ecr._find_image(name, wanted)
            if not image:
                named = f"{{imageDigest:'{wanted.get('imageDigest', 'null')}', imageTag:'{wanted.get('imageTag', 'null')}'}}"
                return error_response_json("ImageNotFoundException",
                                           f"The image with imageId {named} does not exist within the repository with "
                                           f"name '{name}' in the registry with id '{ecr._registry_id()}'", 400)
            images.append(image)
    return json_response({"imageDetails": [details(name, image) for image in images]})


def details(name, image):
    manifest = json.loads(image.get("imageManifest") or "{}")
    parts = [manifest.get("config", {}), *manifest.get("layers", [])]
    described = {
        "registryId": ecr._registry_id(),
        "repositoryName": name,
        "imageDigest": image["imageDigest"],
        "imageSizeInBytes": sum(part.get("size", 0) for part in parts),
        "imagePushedAt": image.get("imagePushedAt", int(time.time())),
        "imageManifestMediaType": image.get("imageManifestMediaType"),
        "artifactMediaType": manifest.get("config", {}).get("mediaType"),
    }
    # AWS leaves the field out for an untagged image.
    return {**described, "imageTags": image["imageTags"]} if image.get("imageTags") else described


# ── Signing in ──

_tokens = {}
"""By account: the password of its registry, which all accounts have at the same address here."""


def token():
    return _tokens.setdefault(get_account_id(), secrets.token_urlsafe(32))


def get_authorization_token(_data):
    """GetAuthorizationToken: a password for the account's registry, at proxyEndpoint."""
    return json_response({"authorizationData": [{
        "authorizationToken": base64.b64encode(f"AWS:{token()}".encode()).decode(),
        "expiresAt": int(time.time()) + 12 * 3600,
        "proxyEndpoint": f"http://{REGISTRY}",
    }]})


def guard_registry():
    """As on AWS, pushing and pulling need the token. ECS gets it through its execution role."""
    serve = ecr.handle_registry_request

    def account_of(given):
        """The account whose password it is; None if it is nobody's."""
        for account, password in list(_tokens.items()):
            expected = "Basic " + base64.b64encode(f"AWS:{password}".encode()).decode()
            if secrets.compare_digest(given, expected):
                return account
        return None

    async def guarded(method, path, headers, body, query_params):
        given = next((value for name, value in headers.items() if name.lower() == "authorization"), "")
        account = account_of(given)
        if account is None:
            status, fields, answer = ecr._registry_error(401, "UNAUTHORIZED", "Not Authorized")
            return status, {**fields, "Www-Authenticate": f'Basic realm="http://{REGISTRY}/",service="ecr.amazonaws.com"'}, answer
        try:
            with request_scope(account, get_region()):
                share_with_docker(method, path, headers)
                if asked := REFERRERS.fullmatch(path):
                    return referrers(*asked.groups(), query_params)
                return await serve(method, path, headers, body, query_params)
        except OSError as error:
            # Docker passes a registry's reason on only with a status below 500.
            return ecr._registry_error(413, "SIZE_INVALID", f"{error.strerror}: {error.filename}")

    ecr.handle_registry_request = guarded

    from ministack.services import ecs

    resolve = ecs._resolve_repository_credentials

    def credentials(container):
        if container["image"].startswith(f"{REGISTRY}/"):
            return {"username": "AWS", "password": token()}
        return resolve(container)

    ecs._resolve_repository_credentials = credentials


# ── Referrers ──

def serve_referrers():
    """The emulator recognizes a registry path by the words in it."""
    is_registry_path = app._is_ecr_registry_path
    app._is_ecr_registry_path = lambda path: is_registry_path(path) or REFERRERS.fullmatch(path) is not None


def referrers(name, digest, query_params):
    """The attachments of an image (OCI distribution specification 1.1, "Listing Referrers")."""
    wanted = (query_params or {}).get("artifactType")
    wanted = wanted[0] if isinstance(wanted, list) else wanted
    found = []
    for image in ecr._images.get(name, []):
        manifest = json.loads(image.get("imageManifest") or "{}")
        kind = manifest.get("artifactType") or manifest.get("config", {}).get("mediaType")
        if manifest.get("subject", {}).get("digest") == digest and wanted in (None, kind):
            found.append({"mediaType": image.get("imageManifestMediaType"), "digest": image["imageDigest"],
                          "size": len(image["imageManifest"]), "artifactType": kind})
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": found}
    fields = {"Content-Type": index["mediaType"], **({"OCI-Filters-Applied": "artifactType"} if wanted else {})}
    return 200, fields, json.dumps(index).encode()


# ── Layers ──

def keep_blobs_on_disk():
    """Layers are files and not part of the state, which is then small enough to be written after each change."""
    forget_old_blobs()
    ecr._layer_blobs = Blobs(os.path.join(persistence.STATE_DIR, "blobs"))
    get_state = ecr.get_state
    ecr.get_state = lambda: {name: value for name, value in get_state().items() if name != "layer_blobs"}


class Blobs:
    """All repositories' layers: a directory for each repository. Offers the part of a dict that the emulator uses."""

    def __init__(self, root):
        self.root = root

    def get(self, repository, _default=None):
        return Layers(os.path.join(self.root, repository.replace("/", "%2F")))

    setdefault = get

    def clear(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def __deepcopy__(self, _memo):
        return {}


BLOB = re.compile(r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})")

SHARED = os.environ["SHARED_BLOBS"]
"""Large layers that this machine's registries got lately: base images, which Docker then need not compress and send to each of them."""

LARGE = 1 << 20
WEEK = 7 * 24 * 3600


def share_with_docker(method, path, headers):
    """Docker asks for a layer before it sends it. Others are told only what the repository was sent."""
    agent = next((value for name, value in headers.items() if name.lower() == "user-agent"), "")
    asked = BLOB.fullmatch(path)
    if method == "HEAD" and asked and agent.startswith("docker/"):
        ecr._layer_blobs.get(asked.group(1)).adopt(asked.group(2))


def forget_old_blobs():
    """Removes shared layers that no registry has any more."""
    with contextlib.suppress(FileNotFoundError):
        for entry in os.scandir(SHARED):
            if entry.stat().st_nlink == 1 and entry.stat().st_mtime < time.time() - WEEK:
                os.remove(entry.path)


class Layers:
    """One repository's layers by digest, each a file."""

    def __init__(self, root):
        self.root = root

    def _path(self, digest):
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise KeyError(digest)
        return os.path.join(self.root, digest[len("sha256:"):])

    def __setitem__(self, digest, content):
        os.makedirs(self.root, exist_ok=True)
        path = self._path(digest)
        part = f"{path}.{secrets.token_hex(4)}"
        try:
            with open(part, "wb") as file:
                file.write(content)
            os.replace(part, path)
            if len(content) >= LARGE:
                self._link(path, os.path.join(SHARED, os.path.basename(path)))
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.remove(part)
            raise OSError(error.errno, error.strerror, path) from None

    @staticmethod
    def _link(source, path):
        """Makes a second name for a file, if it can be made: without one, the layer is only sent again."""
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.link(source, path)

    def __getitem__(self, digest):
        try:
            with open(self._path(digest), "rb") as file:
                return file.read()
        except FileNotFoundError:
            raise KeyError(digest) from None

    def __contains__(self, digest):
        try:
            return os.path.exists(self._path(digest))
        except KeyError:
            return False

    def adopt(self, digest):
        """Takes over a layer that another registry has got, if it is whole."""
        path = self._path(digest)
        shared = os.path.join(SHARED, os.path.basename(path))
        if os.path.exists(path) or not os.path.exists(shared):
            return
        with open(shared, "rb") as file:
            is_whole = hashlib.sha256(file.read()).hexdigest() == os.path.basename(path)
        if is_whole:
            self._link(shared, path)
        else:
            os.remove(shared)

    def get(self, digest, default=None):
        return self[digest] if digest in self else default

    def pop(self, digest, default=None):
        content = self.get(digest, default)
        if digest in self:
            os.remove(self._path(digest))
        return content
