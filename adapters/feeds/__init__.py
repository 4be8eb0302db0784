"""Price feeds: live ones and recorded ones, each behind `application.feeds.Feed`."""
