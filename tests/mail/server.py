"""A mail server for tests: aiosmtpd, told by address what to do.

It prints its port, then each mail that it takes, as one line of JSON. Addresses that begin with
`later` are refused for now the first time, `never` for good; at `hangup` the line breaks after the
mail was taken, before that is said.

Usage: server.py [CERTIFICATE KEY [USER PASSWORD]]
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self):
        self.put_off = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("never"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("later") and address not in self.put_off:
            self.put_off.add(address)
            return "451 4.7.1 greylisted, try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        taken = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "tls": session.ssl is not None,
            "sender": mail["From"],
            "subject": mail["Subject"],
            "id": mail["Message-ID"],
            "automatic": mail["Auto-Submitted"],
            "text": mail.get_content().replace("\r\n", "\n"),
        }
        print(json.dumps(taken), flush=True)
        if envelope.rcpt_tos[0].startswith("hangup"):
            server.transport.abort()
        return "250 OK"


async def main(arguments):
    context = None
    if len(arguments) >= 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments[0], arguments[1])
    login = tuple(arguments[2:4])

    def authenticate(server, session, envelope, mechanism, data):
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == login, handled=False, auth_data=given[0])

    handler = Handler()

    def connection():
        return SMTP(
            handler,
            enable_SMTPUTF8=False,
            hostname="localhost",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=authenticate if login else None,
            auth_required=bool(login),
        )

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


asyncio.run(main(sys.argv[1:]))
