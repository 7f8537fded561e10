"""CronJob: Jobs at times of day."""
