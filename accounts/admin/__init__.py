"""Which pages the admin has of members, their XJTLU accounts, API keys and invitations, and of the audit."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group

from accounts.admin.accounts import AccountAdmin
from accounts.admin.api_keys import ApiKeyAdmin
from accounts.admin.audit import AuditEntryAdmin
from accounts.admin.invitations import InvitationAdmin
from accounts.admin.members import MemberAdmin
from accounts.models import Account, ApiKey, AuditEntry, Invitation, Member

admin.site.register(Account, AccountAdmin)
admin.site.register(Member, MemberAdmin)
admin.site.register(ApiKey, ApiKeyAdmin)
admin.site.register(Invitation, InvitationAdmin)
admin.site.register(AuditEntry, AuditEntryAdmin)
# Permissions are given to members themselves: a few people need no groups.
admin.site.unregister(Group)
