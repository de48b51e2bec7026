"""The member's pages, under /dashboard/."""
