"""Requests as people make them of an assistant or a service desk, from frames and word lists of our own.

WordNet's glosses teach what words mean, not how people ask. Each domain is a list of verbs, of things, and of
complaints; the frames are shared. Nothing here is taken from a data set.
"""

import random

FRAMES = [
    "{verb} my {thing}", "I want to {verb} my {thing}", "how do I {verb} a {thing}?", "can you {verb} the {thing} for me?",
    "please {verb} the {thing}", "I need help to {verb} my {thing}", "is it possible to {verb} a {thing}?",
    "where can I {verb} my {thing}?", "what happens if I {verb} my {thing}", "how long does it take to {verb} a {thing}",
    "I can't {verb} my {thing}", "what do I need to {verb} a {thing}", "could you tell me how to {verb} my {thing}",
    "I tried to {verb} my {thing} but it didn't work", "when can I {verb} the {thing}", "who can {verb} my {thing}?",
    "do I have to {verb} the {thing}?", "I forgot to {verb} my {thing}", "am I able to {verb} my {thing} online",
]
THING_FRAMES = [
    "what is my {thing}?", "where is my {thing}", "how much is the {thing}?", "tell me about the {thing}", "what's the status of my {thing}",
    "I have a question about my {thing}", "is my {thing} ready?", "why is my {thing} so high?", "how does the {thing} work?",
    "show me my {thing}", "is there a {thing} nearby", "what is the difference between a {thing} and a {other}?", "do you have a {thing}",
    "I lost my {thing}", "which {thing} is the best?", "recommend a {thing}", "how many {thing}s do I have", "explain the {thing} to me",
    "give me the {thing} and the {other}", "when is the {thing} due?",
]
COMPLAINT_FRAMES = ["my {thing} {complaint}", "why {complaint} — my {thing}?", "the {thing} {complaint}, what now?", "help, the {thing} {complaint}", "it seems that my {thing} {complaint}"]

DOMAINS = {
    "bank": (
        "activate,block,freeze,replace,order,top up,cancel,verify,withdraw from,transfer from,deposit into,close,open,dispute,refund,exchange,link,pay,check,update,report,unblock,receive,track,apply for",
        "debit card,credit card,bank account,PIN,transfer,payment,direct debit,standing order,cash withdrawal,ATM withdrawal,exchange rate,fee,extra charge,balance,statement,cheque,mortgage,loan,overdraft,savings account,currency,refund,credit limit,credit score,interest rate,routing number,IBAN,mobile wallet,transaction,annual fee,spending limit,bill,insurance policy,tax form,paycheck,pension",
        "was declined,is still pending,was charged twice,has not arrived,was stolen,has expired,is not working,does not show up,is wrong,was blocked,shows an unknown charge,got cancelled,failed,costs too much,is delayed",
    ),
    "travel": (
        "book,cancel,change,find,reserve,confirm,upgrade,track,plan,compare,renew,check in for,rent,pack for,check,look up",
        "flight,hotel,hotel room,rental car,train ticket,boarding pass,suitcase,carry-on,passport,visa,vacation,trip,itinerary,airport shuttle,taxi,layover,window seat,travel insurance,vaccination,time zone,border,tour guide,beach,museum,campsite,cruise,bus route,traffic report,toll",
        "was delayed,got lost,is overbooked,was cancelled,is too expensive,leaves too early,is closed,has no seats left",
    ),
    "food": (
        "cook,bake,order,reheat,season,freeze,grill,substitute,prepare,deliver,chop,fry,boil,taste,store,reserve",
        "steak,lasagna,chicken soup,birthday cake,pizza,salad,sandwich,omelette,pancake,burrito,taco,noodle dish,rice,risotto,cookie,pie,smoothie,coffee,cup of tea,curry,sushi,burger,gluten-free meal,vegetarian dish,ingredient,recipe,restaurant,restaurant table,reservation,menu,calorie count,nutrition label,meal plan,leftover,egg,milk,garlic,olive oil,expiration date,takeout order,breakfast,dinner,snack,dessert",
        "is burnt,tastes bland,has gone bad,is still raw,is too salty,got cold,contains nuts,is out of stock",
    ),
    "home": (
        "turn on,turn off,dim,set,lower,raise,lock,unlock,start,stop,pause,clean,fix,replace,install,paint,schedule,reset,connect,charge,mute",
        "light,lamp,thermostat,alarm,oven,dishwasher,washing machine,vacuum,heater,air conditioner,front door,garage door,speaker,TV,router,Wi-Fi,printer,camera,doorbell,curtain,sprinkler,fan,fridge,smoke detector,volume,playlist,phone,battery,reminder,calendar,appointment,meeting,chore,leak,furnace,bulb,lawn mower",
        "keeps beeping,won't start,is making noise,is offline,is too loud,is leaking,does not respond,went off too early",
    ),
    "car": (
        "fill up,wash,repair,jump start,park,register,insure,sell,service,check,change,rotate,refuel,drive",
        "car,tire,oil,engine,brake,gas tank,battery,windshield,driver's license,parking spot,oil change,tire pressure,insurance,route,traffic,commute,highway exit,ride,electric car,charger,mechanic,transmission,warranty,speeding ticket",
        "overheats,has a flat,makes a strange noise,won't start,failed inspection,was towed,broke down,lost pressure",
    ),
    "work": (
        "request,schedule,approve,submit,cancel,move,review,update,check,prepare,present,file,extend,track,send",
        "vacation request,day off,sick leave,payroll,salary,health insurance,meeting,meeting room,calendar,report,expense report,invoice,contract,deadline,presentation,spreadsheet,performance review,job application,resume,interview,promotion,email,phone call,conference call,memo,budget,project plan,time sheet,income,taxes,holiday,shift",
        "was rejected,is overdue,is missing,has a mistake,was moved,is not approved yet,starts too early",
    ),
    "shopping": (
        "buy,return,order,exchange,track,reorder,cancel,review,compare,find,sell,wrap,ship,add to my list",
        "package,order,delivery,laptop,phone,headphones,pair of shoes,jacket,dress,gift,coupon,discount,gift card,receipt,warranty,refund,shopping cart,mattress,toy,book,furniture,camera,watch,price,store,subscription,membership,size,brand",
        "arrived broken,has not shipped,is the wrong size,is sold out,costs too much,was not delivered,doesn't fit",
    ),
    "health": (
        "treat,prevent,measure,lower,stop,relieve,refill,schedule,take,improve,track,diagnose",
        "headache,fever,cough,back pain,blood pressure,prescription,vaccine,doctor's appointment,blood test,allergy,rash,anxiety,sleep,diet,weight,heart rate,calorie intake,workout,vitamin,therapy session,tooth,knee,stomach ache,dose,side effect,injury,pregnancy,medication,insurance claim,cholesterol",
        "hurts,is swollen,won't go away,is getting worse,is itchy,is too high,came back,keeps me awake",
    ),
    "fun": (
        "play,pause,skip,recommend,watch,find,download,rate,record,stream,review,write,read,win,shuffle,repeat",
        "song,album,playlist,movie,TV show,episode,podcast,book,video game,board game,concert,concert ticket,joke,fun fact,riddle,trivia question,story,poem,football match,basketball score,radio station,dance,magic trick,series,documentary,cartoon,band,actor",
        "is boring,won't load,ended badly,is too long,got cancelled,is sold out",
    ),
    "assistant": (
        "change,set,tell,repeat,remember,forget,guess,translate,spell,define,calculate,convert,call,text,share,find",
        "name,language,voice,birthday,hobby,favourite colour,settings,location,date,time,weather,temperature,forecast,spelling,definition,synonym,square root,percentage,unit,inches,miles,message,contact,phone,alarm,news,boss,pet,age,origin,secret,password",
        "is too slow,sounds strange,is wrong,changed by itself,is hard to understand",
    ),
    "writing": (
        "write,draft,rewrite,proofread,shorten,summarize,translate,improve,simplify,paraphrase,outline,format,expand,critique,continue",
        "email to my boss,cover letter,resume,blog post,essay,press release,product description,short story,poem,song,speech,tweet,Instagram caption,slogan,business plan,legal contract,abstract,research paper,lesson plan,quiz,headline,meeting summary,screenplay,dialogue,thank-you note,wedding toast,apology,complaint letter,job description,sales pitch,marketing campaign,user story,README,white paper,interview question,book review,news article,biography,recipe,letter of recommendation",
        "sounds too formal,is too long,has grammar mistakes,lacks a conclusion,reads badly,is off topic",
    ),
    "code": (
        "write,debug,refactor,optimise,test,explain,deploy,install,fix,convert,document,parse,compile,run,review,implement,import,sort",
        "Python script,JavaScript function,SQL query,regular expression,REST API,React component,Docker container,unit test,shell script,git branch,class,loop,database table,JSON file,CSV file,web page,CSS style,stack trace,memory leak,pull request,algorithm,linked list,binary tree,neural network,data frame,Excel formula,C++ program,Rust struct,Java class,Kubernetes cluster,web server,chat bot,mobile app,package,dependency,environment variable,thread,exception",
        "throws an error,does not compile,is too slow,returns null,crashes,leaks memory,has a type error,times out,is deprecated,fails in production",
    ),
    "learning": (
        "explain,solve,prove,derive,memorise,study,compare,describe,define,analyse,calculate,graph,simplify,understand",
        "quadratic equation,integral,theorem,probability,fraction,percentage,triangle,chemical reaction,photosynthesis,black hole,quantum mechanics,evolution,World War II,French Revolution,supply and demand,inflation,Shakespeare play,metaphor,grammar rule,vocabulary word,philosophy of Kant,climate change,DNA,atom,electric circuit,gravity,constitution,machine learning,statistics problem,word problem,essay question,multiple-choice question,homework,exam",
        "makes no sense,is too hard,is confusing,has two answers,is wrong in my book",
    ),
    "advice": (
        "plan,organise,choose,start,improve,end,save,celebrate,handle,avoid,prepare,discuss",
        "birthday party,wedding,weekend,career,relationship,friendship,argument with my boss,new hobby,morning routine,study schedule,small business,move to another city,job offer,haircut,first date,baby name,pet,garden,budget,New Year's resolution,road trip,retirement,apartment,roommate problem,team event",
        "is stressful,ended badly,is too expensive,keeps failing,makes me sad,scares me",
    ),
}


def request_sentences(draw: random.Random, per_domain: int):
    for verbs, things, complaints in DOMAINS.values():
        verb_list, thing_list, complaint_list = (text.split(",") for text in (verbs, things, complaints))
        for _ in range(per_domain):
            thing, other = draw.sample(thing_list, 2)
            kind = draw.random()
            if kind < 0.5:
                yield draw.choice(FRAMES).format(verb=draw.choice(verb_list), thing=thing)
            elif kind < 0.8:
                yield draw.choice(THING_FRAMES).format(thing=thing, other=other)
            else:
                yield draw.choice(COMPLAINT_FRAMES).format(thing=thing, complaint=draw.choice(complaint_list))
