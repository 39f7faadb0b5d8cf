"""`understudy init`: what a repository has is looked at, what it lacks is proposed, shown and written."""
