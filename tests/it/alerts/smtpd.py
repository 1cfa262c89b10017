"""A mail server on loopback: prints its port, then each mail it took as a line of JSON.

Arguments: certificate, key, and how it behaves: well, greylist, refuse, stripped, hang.
"""

import asyncio
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, manner):
        self.manner, self.tried = manner, 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        self.tried += 1
        if self.manner == "greylist" and self.tried == 1:
            return "450 4.2.0 greylisted, come back later"
        if self.manner == "refuse":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.manner == "hang":
            await asyncio.sleep(3600)
        mail = {"from": envelope.mail_from, "to": envelope.rcpt_tos, "content": envelope.content.decode(), "tls": session.ssl is not None}
        print(json.dumps(mail), flush=True)
        return "250 taken"


class Server(Controller):
    def factory(self):
        return SMTP(self.handler, tls_context=self.tls, require_starttls=self.tls is not None, auth_required=self.tls is not None,
                    authenticator=authenticate, decode_data=False)


def authenticate(server, session, envelope, mechanism, data):
    return AuthResult(success=(data.login, data.password) == (b"user", b"hunter2"))


certificate, key, manner = sys.argv[1:]
context = None
if manner != "stripped":
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
controller = Server(Handler(manner), hostname="127.0.0.1", port=0, server_hostname="localhost")
controller.tls = context


def begin():
    # The port is the system's choice, so the controller's own look at it is not used.
    loop = controller.loop
    server = loop.run_until_complete(loop.create_server(controller.factory, host="127.0.0.1", port=0))
    print(server.sockets[0].getsockname()[1], flush=True)
    loop.run_forever()


begin()
