"""A small AWS for tests: EC2, EC2 Auto Scaling, CloudFormation and CloudWatch by their Query APIs, instance metadata and a
container's credentials, with trouble on demand. Prints its port.

Strict where AWS is: signatures are computed again with botocore, forms are read by botocore's service models (what a model does
not know, or misses, is an error), answers are written in the shapes of the models. What was refused for its form or signature is kept in
`rejected`, for tests to find empty.

GET /control tells the state; POST /control {...} sets knobs (see Cloud.knobs) and does things: {"reset": true}, {"kill": [ids]},
{"expire_credentials": true}, {"asg": {...}}, {"metadata": {...}}."""
import http.server
import json
import os
import re
import secrets
import signal
import socketserver
import sys
import threading
import time
from email.utils import formatdate
from urllib.parse import parse_qsl

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
try:
    import botocore.session
except ImportError:  # another python3 comes first in the PATH: Debian's has it
    if sys.executable == "/usr/bin/python3":
        raise
    os.execv("/usr/bin/python3", ["/usr/bin/python3"] + sys.argv)
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from xml.sax.saxutils import escape

from aws_cloud import Cloud, Refused
from imds_endpoint import Metadata

SERVICES = {"ec2": "ec2", "autoscaling": "autoscaling", "cloudformation": "cloudformation", "monitoring": "cloudwatch"}
MODELS = {}


def model_of(signing_name):
    if signing_name not in MODELS:
        MODELS[signing_name] = botocore.session.get_session().get_service_model(SERVICES[signing_name])
    return MODELS[signing_name]


# ---- input: a form, by the model ----

def tree_of(pairs):
    """{"Tag": {"1": {"Key": "x"}}} of [("Tag.1.Key", "x")]."""
    root = {}
    for name, value in pairs:
        at = root
        parts = name.split(".")
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            if not isinstance(at, dict):
                raise Refused(400, "MalformedQueryString", f"{name} is both a value and a structure")
        if parts[-1] in at:
            raise Refused(400, "MalformedQueryString", f"{name} is there twice")
        at[parts[-1]] = value
    return root


class Reader:
    def __init__(self, ec2):
        self.ec2 = ec2

    def fail(self, code, text):
        raise Refused(400, code if self.ec2 else "ValidationError", text)

    def name_of(self, shape, default):
        s = shape.serialization
        if self.ec2:
            if "queryName" in s:
                return s["queryName"]
            name = s.get("name", default)
            return name[0].upper() + name[1:]
        return s.get("name", default)

    def structure(self, shape, tree, path):
        if not isinstance(tree, dict):
            self.fail("InvalidParameterValue", f"{path} is a structure")
        out, known = {}, set()
        for member, of in shape.members.items():
            name = self.name_of(of, member)
            if of.type_name == "list" and not self.ec2 and of.serialization.get("flattened"):
                name = of.member.serialization.get("name", name)
            known.add(name)
            if name in tree:
                out[member] = self.value(of, tree[name], f"{path}.{name}" if path else name)
        for name in tree:
            if name not in known:
                self.fail("UnknownParameter", f"The parameter {path + '.' if path else ''}{name} is not recognized")
        for member in shape.required_members:
            if member not in out:
                self.fail("MissingParameter", f"The request must contain the parameter {path + '.' if path else ''}{member}")
        return out

    def items(self, tree, path):
        if not isinstance(tree, dict):
            self.fail("InvalidParameterValue", f"{path} is a list")
        numbers = sorted(int(n) if n.isdigit() else self.fail("MalformedQueryString", f"{path}.{n}") for n in tree)
        if numbers != list(range(1, len(numbers) + 1)):
            self.fail("MalformedQueryString", f"{path} is not numbered 1, 2, 3 ...: {numbers}")
        return [tree[str(n)] for n in numbers]

    def value(self, shape, tree, path):
        kind = shape.type_name
        if kind == "structure":
            return self.structure(shape, tree, path)
        if kind == "list":
            if not self.ec2 and not shape.serialization.get("flattened"):
                inner = shape.member.serialization.get("name", "member")
                if tree == "":
                    return []
                if not isinstance(tree, dict) or set(tree) != {inner}:
                    self.fail("MalformedQueryString", f"{path} has no {inner}")
                tree, path = tree[inner], f"{path}.{inner}"
            out = [self.value(shape.member, item, f"{path}.{i + 1}") for i, item in enumerate(self.items(tree, path))]
            self.within(shape, len(out), path)
            return out
        if not isinstance(tree, str):
            self.fail("InvalidParameterValue", f"{path} is a plain value")
        if kind in ("integer", "long"):
            if not re.fullmatch(r"-?\d+", tree):
                self.fail("InvalidParameterValue", f"{path} = {tree}: no number")
            self.within(shape, int(tree), path)
            return int(tree)
        if kind in ("float", "double"):
            return float(tree)
        if kind == "boolean":
            if tree not in ("true", "false"):
                self.fail("InvalidParameterValue", f"{path} = {tree}: true or false")
            return tree == "true"
        if kind == "timestamp":
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", tree):
                self.fail("InvalidParameterValue", f"{path} = {tree}: no time")
            return tree
        if shape.enum and tree not in shape.enum:
            self.fail("InvalidParameterValue", f"{path} = {tree}: one of {shape.enum}")
        pattern = shape.metadata.get("pattern")
        try:
            wrong = bool(pattern) and not re.fullmatch(pattern, tree)
        except re.error:  # Java's own: surrogates, \p{..}
            wrong = False
        if wrong:
            self.fail("InvalidParameterValue", f"{path} = {tree}: must match {pattern}")
        self.within(shape, len(tree), path)
        return tree

    def within(self, shape, n, path):
        low, high = shape.metadata.get("min"), shape.metadata.get("max")
        if (low is not None and n < low) or (high is not None and n > high):
            self.fail("InvalidParameterValue", f"{path}: {n} is not within {low}..{high}")


# ---- output: XML, by the model ----

def xml_value(shape, value, name, ec2):
    kind = shape.type_name
    if kind == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{name}: the model knows no {unknown}"
        inner = "".join(xml_value(of, value[m], of.serialization.get("name", m), ec2)
                        for m, of in shape.members.items() if value.get(m) is not None)
        return f"<{name}>{inner}</{name}>"
    if kind == "list":
        item = shape.member.serialization.get("name", "member")
        if shape.serialization.get("flattened"):
            return "".join(xml_value(shape.member, v, name, ec2) for v in value)
        return f"<{name}>" + "".join(xml_value(shape.member, v, item, ec2) for v in value) + f"</{name}>"
    if kind == "boolean":
        return f"<{name}>{'true' if value else 'false'}</{name}>"
    if kind == "timestamp":
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(value)) + ".000Z"
        return f"<{name}>{text}</{name}>"
    return f"<{name}>{escape(str(value))}</{name}>"


def xml_answer(operation, model, out):
    ec2 = model.service_name == "ec2"
    request = secrets.token_hex(16)
    shape = operation.output_shape
    inner = ""
    if shape is not None:
        unknown = set(out) - set(shape.members)
        assert not unknown, f"{operation.name}: the model knows no {unknown}"
        inner = "".join(xml_value(of, out[m], of.serialization.get("name", m), ec2)
                        for m, of in shape.members.items() if out.get(m) is not None)
    space = model.metadata.get("xmlNamespace") or f"http://{model.service_name}.amazonaws.com/doc/{model.api_version}/"
    if ec2:
        space = f"http://ec2.amazonaws.com/doc/{model.api_version}/"
        body = f"<requestId>{request}</requestId>{inner}"
    else:
        if shape is not None:
            inner = f"<{operation.name}Result>{inner}</{operation.name}Result>"
        body = f"{inner}<ResponseMetadata><RequestId>{request}</RequestId></ResponseMetadata>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<{operation.name}Response xmlns="{space}">{body}</{operation.name}Response>'.encode()


def xml_refusal(ec2, refused):
    request = secrets.token_hex(16)
    code, message = escape(refused.code), escape(refused.message)
    if ec2:
        text = f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{request}</RequestID></Response>"
    else:
        who = "Sender" if refused.status < 500 else "Receiver"
        text = f"<ErrorResponse><Error><Type>{who}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request}</RequestId></ErrorResponse>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


# ---- the server ----

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cloud = Cloud()
    metadata = Metadata()
    lock = threading.Lock()
    # access key -> (secret, token or None, ends at)
    keys = {"AKIDBERTHTEST": ("berth/test+secret", None, None)}
    current = None
    life_s = 3600
    clock_offset_s = 0
    rejected = []
    container_token = None

    def log_message(self, *args):
        pass

    def date_time_string(self, timestamp=None):
        return formatdate(time.time() + Handler.clock_offset_s, usegmt=True)

    def reply(self, status, body, kind="text/xml"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # -- credentials that end --

    @classmethod
    def credentials(cls):
        now = time.time()
        if cls.current is None or cls.keys[cls.current][2] - now < cls.life_s * 0.1:
            cls.current = "ASIA" + secrets.token_hex(8).upper()
            cls.keys[cls.current] = (secrets.token_urlsafe(30), secrets.token_urlsafe(700) + "/+==", now + cls.life_s)
        secret, token, ends = cls.keys[cls.current]
        return {"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": cls.current, "SecretAccessKey": secret, "Token": token,
                "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends + 0.999))}

    # -- the API --

    def verify(self, body):
        """The signing name of a request that AWS would take; Refused otherwise."""
        names = [n.lower() for n in self.headers.keys()]
        for name in set(names):
            if names.count(name) > 1:
                raise Refused(400, "MalformedHeaders", f"{name} is there twice")
        if "expect" in names:
            raise Refused(417, "ExpectationFailed", "Expect is not for this")
        found = re.fullmatch(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})",
                             self.headers.get("Authorization", ""))
        if not found:
            raise Refused(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        key, day, region, service, signed, signature = found.groups()
        signed = signed.split(";")
        self.ec2 = service == "ec2"
        if service not in SERVICES or region != Handler.cloud.region:
            raise Refused(403, "SignatureDoesNotMatch", f"Credential should be scoped to a valid region and service: {region}/{service}")
        date = self.headers.get("X-Amz-Date", "")
        must = {"host", "x-amz-date"} | {n for n in names if n.startswith("x-amz-")}
        if not must <= set(signed) or not re.fullmatch(r"\d{8}T\d{6}Z", date) or date[:8] != day or signed != sorted(signed):
            raise Refused(403, "IncompleteSignature", f"must be signed: {sorted(must)}; are: {signed}; date {date}")
        for name in signed:
            if name not in names:
                raise Refused(403, "SignatureDoesNotMatch", f"{name} is signed and not sent")
        if key not in Handler.keys:
            raise Refused(401 if self.ec2 else 403, "AuthFailure" if self.ec2 else "InvalidClientTokenId", "AWS was not able to validate the provided access credentials")
        secret, token, ends = Handler.keys[key]
        request = AWSRequest("POST", f"http://{self.headers['Host']}{self.path}", headers={n: self.headers[n] for n in signed}, data=body)
        request.context["timestamp"] = date
        auth = SigV4Auth(Credentials(key, secret), service, region)
        if auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request) != signature:
            raise Refused(403, "AuthFailure" if self.ec2 else "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided")
        now = time.time() + Handler.clock_offset_s
        import calendar
        skew = calendar.timegm(time.strptime(date, "%Y%m%dT%H%M%SZ")) - now
        if abs(skew) > 300:
            raise Refused(400 if self.ec2 else 403, "RequestExpired" if self.ec2 else "SignatureDoesNotMatch",
                          "Request has expired." if self.ec2 else f"Signature expired: {date} is now earlier than now - 5 min.")
        if token != self.headers.get("X-Amz-Security-Token"):
            raise Refused(403, "InvalidClientTokenId", "The security token included in the request is invalid")
        if ends is not None and time.time() >= ends:
            raise Refused(400 if self.ec2 else 403, "RequestExpired" if self.ec2 else "ExpiredToken", "The security token included in the request is expired")
        return service

    def parse(self, service, body):
        kind = self.headers.get("Content-Type", "").split(";")[0].strip()
        if kind != "application/x-www-form-urlencoded" or self.path != "/":
            raise Refused(400, "MalformedQueryString", f"a form to /, not {kind} to {self.path}")
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, strict_parsing=True)
        tree = tree_of(pairs)
        model = model_of(service)
        action, version = tree.pop("Action", None), tree.pop("Version", None)
        if action not in model.operation_names or version != model.api_version:
            raise Refused(400, "InvalidAction", f"The action {action} is not valid for version {version}")
        operation = model.operation_model(action)
        params = Reader(self.ec2).structure(operation.input_shape, tree, "") if operation.input_shape else {}
        return model, operation, params

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/control":
            return self.control(json.loads(body))
        cloud = Handler.cloud
        self.ec2 = False
        kept = True
        with Handler.lock:
            knobs = cloud.knobs
            wait = knobs["latency_ms"] / 1000
            try:
                try:
                    service = self.verify(body)
                    model, operation, params = self.parse(service, body)
                except Refused as refused:
                    if refused.code not in ("RequestExpired", "ExpiredToken", "InvalidClientTokenId", "AuthFailure") and "expired" not in refused.message:
                        Handler.rejected.append(f"{refused.code}: {refused.message}: {body[:200].decode('latin1')}")
                    raise
                cloud.trouble(operation.name)
                out = cloud.call(operation.name, params)
                kept = not cloud.loses(operation.name)
                answer = (200, xml_answer(operation, model, out or {}))
            except Refused as refused:
                cloud.refusals.append(refused.code)
                answer = (refused.status, xml_refusal(self.ec2, refused))
            except Exception as broken:  # a fault of this endpoint is a fault of the test
                Handler.rejected.append(f"endpoint: {type(broken).__name__}: {broken}")
                answer = (500, xml_refusal(self.ec2, Refused(500, "InternalError", str(broken))))
        if wait:
            time.sleep(wait)
        if kept:
            self.reply(*answer)
        else:  # carried out, and nobody hears of it
            self.close_connection = True
            self.connection.close()

    # -- metadata, credentials, control --

    def do_GET(self):
        if self.path == "/control":
            with Handler.lock:
                told = Handler.cloud.told()
                told["rejected"] = Handler.rejected
                told["metadata"] = Handler.metadata.told()
                return self.reply(200, json.dumps(told).encode(), "application/json")
        if self.path == "/container":
            if Handler.container_token and self.headers.get("Authorization") != Handler.container_token:
                return self.reply(403, b"{}", "application/json")
            with Handler.lock:
                return self.reply(200, json.dumps(self.credentials()).encode(), "application/json")
        if self.path == "/latest/meta-data/iam/security-credentials/test-role":
            with Handler.lock:
                Handler.metadata.items[self.path] = json.dumps(self.credentials())
        self.reply(*Handler.metadata.answer("GET", self.path, self.headers), "text/plain")

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.reply(*Handler.metadata.answer("PUT", self.path, self.headers), "text/plain")

    def control(self, wish):
        with Handler.lock:
            if wish.pop("reset", False):
                Handler.cloud.close()
                Handler.cloud = Cloud()
                Handler.rejected = []
                Handler.life_s, Handler.clock_offset_s, Handler.container_token = 3600, 0, None
                Handler.metadata.control({"items": {"/latest/meta-data/iam/security-credentials/": "test-role\n",
                                                    "/latest/meta-data/placement/region": Handler.cloud.region}, "drop_tokens": True})
            Handler.life_s = wish.pop("credentials_life_s", Handler.life_s)
            Handler.clock_offset_s = wish.pop("clock_offset_s", Handler.clock_offset_s)
            Handler.container_token = wish.pop("container_token", Handler.container_token)
            if wish.pop("expire_credentials", False) and Handler.current:
                secret, token, _ = Handler.keys[Handler.current]
                Handler.keys[Handler.current] = (secret, token, time.time() - 1)
            Handler.metadata.control(wish.pop("metadata", {}))
            Handler.cloud.control(wish)
        self.reply(200, b"{}", "application/json")


class Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True


def main():
    for name in SERVICES:
        model_of(name)
    server = Tcp(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    Handler.metadata.control({"items": {"/latest/meta-data/iam/security-credentials/": "test-role\n",
                                        "/latest/meta-data/placement/region": Handler.cloud.region}})
    signal.signal(signal.SIGTERM, lambda *a: (Handler.cloud.close(), os._exit(0)))
    print(server.server_address[1], flush=True)

    def tick():
        while True:
            time.sleep(0.1)
            with Handler.lock:
                Handler.cloud.tick()
    threading.Thread(target=tick, daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
